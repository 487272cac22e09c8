#include "tests/raft/scenario.h"

#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

using Words = std::vector<std::string>;

uint64_t number(const std::string& word) {
  size_t used = 0;
  const uint64_t value = std::stoull(word, &used);
  if (used != word.size()) throw std::runtime_error("not a number: " + word);
  return value;
}

uint32_t server(const std::string& word) { return static_cast<uint32_t>(number(word)); }

Duration duration(const std::string& word) {
  const size_t unit = word.find_first_not_of("0123456789");
  const auto count = static_cast<int64_t>(number(word.substr(0, unit)));
  if (unit != word.npos && word.substr(unit) == "ms") return milliseconds(count);
  if (unit != word.npos && word.substr(unit) == "s") return std::chrono::seconds(count);
  throw std::runtime_error("a duration needs the unit ms or s: " + word);
}

struct Link {
  uint32_t from = 0;
  uint32_t to = 0;
};

Link link(const std::string& word) {
  const size_t arrow = word.find("->");
  if (arrow == word.npos) throw std::runtime_error("not a link: " + word);
  return {server(word.substr(0, arrow)), server(word.substr(arrow + 2))};
}

class Runner {
 public:
  // Returns the trace of one command.
  std::string run(const Words& words) {
    trace_.str("");
    try {
      execute(words);
    } catch (const std::out_of_range&) {
      throw std::runtime_error("a word is missing, or there is no such server, in: " + words.at(0));
    }
    return trace_.str();
  }

 private:
  Cluster& cluster() {
    if (cluster_ == nullptr) throw std::runtime_error("the first command must be: cluster VOTERS");
    return *cluster_;
  }

  void execute(const Words& words) {
    const std::string& name = words.at(0);
    if (name == "cluster") return start(words);
    if (name == "status") return status();
    if (name == "disk") return disk(words);
    if (time(name, words) || network(name, words) || server_command(name, words) || client(name, words))
      return;
    throw std::runtime_error("unknown command: " + name);
  }

  void start(const Words& words) {
    cluster_ = std::make_unique<Cluster>(Cluster::Setup{
        .voters = number(words.at(1)),
        .learners = words.size() > 2 ? number(words[2]) : 0,
        .trace = &trace_,
        .tune = [](Options& options) { options.append_bytes_max = 1; },
    });
  }

  void status() {
    for (const uint32_t id : cluster().ids()) {
      trace_ << "  " << id << ": ";
      if (!cluster().up(id)) {
        trace_ << "down\n";
        continue;
      }
      const Raft& raft = cluster().at(id);
      trace_ << role_name(raft.role_name()) << " in term " << raft.term() << ", log " << cluster().log_of(id)
             << ", durable " << raft.durable_index() << ", committed " << raft.committed() << "\n";
    }
  }

  void disk(const Words& words) {
    std::vector<Entry> entries = {make_configuration_entry(cluster().configuration())};
    for (size_t i = 4; i < words.size(); ++i) {
      const size_t caret = words[i].find('^');
      entries.push_back(make_entry(number(words[i].substr(caret + 1)), number(words[i].substr(0, caret))));
    }
    cluster().set_disk(server(words.at(1)),
                       HardState{Term(number(words.at(2))), ServerId(server(words.at(3)))},
                       std::move(entries));
  }

  bool time(const std::string& name, const Words& words) {
    if (name == "tick") {
      cluster().tick(server(words.at(1)), words.size() > 2 ? duration(words[2]) : Duration{});
    } else if (name == "timeout") {
      cluster().time_out(server(words.at(1)));
    } else if (name == "advance") {
      cluster().advance(duration(words.at(1)));
    } else if (name == "wait") {
      cluster().wait(duration(words.at(1)));
    } else if (name == "settle") {
      cluster().settle();
    } else {
      return false;
    }
    return true;
  }

  bool network(const std::string& name, const Words& words) {
    if (name == "deliver") {
      const Link path = link(words.at(1));
      cluster().deliver(path.from, path.to, words.size() > 2 ? number(words[2]) : SIZE_MAX);
    } else if (name == "drop") {
      const Link path = link(words.at(1));
      trace_ << "  " << cluster().drop(path.from, path.to) << " lost\n";
    } else if (name == "duplicate") {
      cluster().duplicate(link(words.at(1)).from, link(words.at(1)).to);
    } else if (name == "cut") {
      cluster().cut(link(words.at(1)).from, link(words.at(1)).to);
    } else if (name == "isolate") {
      cluster().isolate(server(words.at(1)));
    } else if (name == "heal") {
      cluster().heal();
    } else {
      return false;
    }
    return true;
  }

  bool server_command(const std::string& name, const Words& words) {
    static const std::map<std::string, void (Cluster::*)(uint32_t)> kCommands = {
        {"stall", &Cluster::stall},     {"unstall", &Cluster::unstall}, {"crash", &Cluster::crash},
        {"restart", &Cluster::restart}, {"wipe", &Cluster::wipe},
    };
    const auto found = kCommands.find(name);
    if (found != kCommands.end()) {
      (cluster().*found->second)(server(words.at(1)));
    } else if (name == "persist") {
      cluster().persist(server(words.at(1)), words.size() > 2 ? number(words[2]) : SIZE_MAX);
    } else if (name == "unreachable") {
      cluster().unreachable(server(words.at(1)), server(words.at(2)));
    } else if (name == "compact") {
      cluster().compact(server(words.at(1)), number(words.at(2)));
    } else if (name == "installed") {
      cluster().install(server(words.at(1)), cluster().leader(), number(words.at(2)));
    } else {
      return false;
    }
    return true;
  }

  bool client(const std::string& name, const Words& words) {
    Error error;
    if (name == "propose") {
      const Result<Index> index = cluster().propose(server(words.at(1)), words.at(2));
      if (!index.ok()) error = index.error();
    } else if (name == "read") {
      const Status read = cluster().read(server(words.at(1)), number(words.at(2)));
      if (!read.ok()) error = read.error();
    } else if (name == "transfer") {
      const Status transfer = cluster().transfer(server(words.at(1)), server(words.at(2)));
      if (!transfer.ok()) error = transfer.error();
    } else {
      return false;
    }
    if (!error.ok()) trace_ << "  refused, " << error_name(error.code) << ": " << error.message << "\n";
    return true;
  }

  std::ostringstream trace_;
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace

std::string run_scenario(const std::string& text) {
  Runner runner;
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') {
      out += line + "\n";
      continue;
    }
    if (line[0] != '>') continue;
    out += line + "\n";
    std::istringstream split(line.substr(1));
    Words words;
    for (std::string word; split >> word;) words.push_back(word);
    try {
      out += runner.run(words);
    } catch (const std::exception& error) {
      throw std::runtime_error(line + "\n" + error.what() + "\n" + out);
    }
  }
  return out;
}

}  // namespace quorate::raft::testing
