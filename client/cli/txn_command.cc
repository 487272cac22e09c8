// txn: several operations from a file, all or none of them.
#include <charconv>
#include <functional>
#include <map>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/command_line.h"
#include "client/cli/number.h"
#include "client/cli/words.h"

namespace quorate::cli {

namespace {

constexpr const char* kFormat =
    "A line an operation, as the commands of the same names take them, but that DATA is always the bytes\n"
    "themselves (- and @FILE mean nothing); words are quoted as in a shell:\n"
    "  create [-s] [-p] PATH [DATA]          set [-v VERSION] PATH DATA      setacl [-v VERSION] PATH "
    "ENTRY...\n"
    "  delete [-v VERSION] PATH              deleteall PATH\n"
    "and conditions:\n"
    "  check [-v VERSION] PATH    the node is there, at that version\n"
    "  absent PATH                it is not there\n"
    "  held PATH TOKEN            the lock is held with that token\n"
    "Empty lines, and those that begin with #, say nothing.";

constexpr const char* kOperation =
    "operation (those are create, set, setacl, delete, deleteall, check, absent and held)";

struct Operation {
  size_t line = 0;
  std::string text;
};

struct Parsed {
  client::Multi multi;
  std::vector<Operation> operations;
};

// One line. CLI11 parses it as it does a whole command line.
class LineParser {
 public:
  explicit LineParser(client::Multi& multi) : multi_(multi) {
    app_.require_subcommand(1);
    app_.set_help_flag();
    CLI::App* line = add("create", [this] {
      client::CreateOptions options;
      options.sequential = sequential_;
      options.parents = parents_;
      multi_.create(path_, data_, options);
    });
    line->add_option("DATA", data_);
    line->add_flag("-s,--sequential", sequential_);
    line->add_flag("-p,--parents", parents_);
    line = add("set", [this] { multi_.set(path_, data_, version_); });
    line->add_option("DATA", data_)->required();
    add_version(line);
    line = add("setacl", [this] { set_acl(); });
    line->add_option("ENTRY", entries_)->required();
    add_version(line);
    add_version(add("delete", [this] { multi_.remove(path_, version_); }));
    add("deleteall", [this] { multi_.remove_all(path_); });
    add_version(add("check", [this] { multi_.check(path_, version_); }));
    add("absent", [this] { multi_.check_absent(path_); });
    line = add("held", [this] { multi_.check_held(path_, Token(token_)); });
    line->add_option("TOKEN", token_)->transform(decimal<uint64_t>())->required();
  }

  Status parse(const std::vector<std::string>& words) {
    try {
      app_.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    } catch (const CLI::Error& error) {
      return Error{ErrorCode::kInvalidArgument, usage_problem(app_, error, kOperation)};
    }
    return problem_;
  }

 private:
  CLI::App* add(const char* name, std::function<void()> then) {
    CLI::App* line = app_.add_subcommand(name);
    line->set_help_flag();
    line->add_option("PATH", path_)->required();
    line->callback(std::move(then));
    return line;
  }
  void add_version(CLI::App* line) {
    line->add_option("-v,--version", version_)->transform(decimal(client::kAnyVersion));
  }
  void set_acl() {
    const Result<client::Acl> acl = parse_acl(entries_);
    if (acl.ok())
      multi_.set_acl(path_, *acl, version_);
    else
      problem_ = acl.error();
  }

  client::Multi& multi_;
  CLI::App app_;
  std::string path_, data_;
  std::vector<std::string> entries_;
  int32_t version_ = client::kAnyVersion;
  uint64_t token_ = 0;
  bool sequential_ = false, parents_ = false;
  Status problem_;
};

Result<Parsed> parse(const std::string& text) {
  Parsed parsed;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    const Result<std::vector<std::string>> words = split_words(line);
    Status done = words.ok() ? Status() : Status(words.error());
    if (done.ok() && (words->empty() || words->front().starts_with('#'))) continue;
    if (done.ok()) done = LineParser(parsed.multi).parse(*words);
    if (!done.ok())
      return Error{ErrorCode::kInvalidArgument,
                   "line " + std::to_string(number) + ": " + done.error().message};
    parsed.operations.push_back({number, line});
  }
  if (parsed.operations.empty())
    return Error{ErrorCode::kInvalidArgument, "there is no operation in it (see: quorate txn --help)"};
  return parsed;
}

int print_results(const Globals& globals, const Parsed& parsed, const client::MultiResult& done) {
  // Where nothing became of any operation there is nothing to print but why.
  const bool json = globals.json && (done.ok() || !done.results.empty());
  if (json) {
    nlohmann::json results = nlohmann::json::array();
    for (size_t i = 0; i < done.results.size(); ++i) {
      const client::OperationResult& result = done.results[i];
      nlohmann::json each{{"line", parsed.operations[i].line}, {"result", error_name(result.error.code)}};
      if (!result.error.message.empty()) each["message"] = result.error.message;
      if (!result.path.empty()) each["path"] = result.path;
      if (done.ok() && result.stat.mzxid.value() != 0) each["stat"] = stat_json(result.stat);
      results.push_back(std::move(each));
    }
    print_json({{"done", done.ok()}, {"results", results}});
  } else if (done.ok()) {
    for (const client::OperationResult& result : done.results)
      if (!result.path.empty()) print_line(result.path);
  }
  if (done.ok()) return kDone;
  for (size_t i = 0; i < done.results.size() && i < parsed.operations.size(); ++i) {
    const Error& error = done.results[i].error;
    if (error.ok() || error.code == ErrorCode::kNotAttempted) continue;
    if (json) return exit_code(error.code);
    const std::string why = error.message.empty() ? std::string(error_name(error.code)) : error.message;
    return fail(exit_code(error.code), error.code,
                "line " + std::to_string(parsed.operations[i].line) + " (" + parsed.operations[i].text +
                    "): " + why + "; nothing was done");
  }
  return json ? exit_code(done.error.code) : report("", done.error);
}

int txn(const Globals& globals, const std::string& file) {
  const Result<std::string> text = read_data(file == "-" ? file : "@" + file);
  if (!text.ok()) return report("", text.error());
  const Result<Parsed> parsed = parse(*text);
  if (!parsed.ok())
    return fail(kWrongUsage, (file == "-" ? "standard input" : file) + ": " + parsed.error().message);
  const CommandClient client(globals);
  return print_results(globals, *parsed, client->run(parsed->multi));
}

}  // namespace

void add_txn_command(CLI::App& app, const Globals& globals, Action& action) {
  const auto file = std::make_shared<std::string>("-");
  CLI::App* command = app.add_subcommand("txn", "do several operations, all or none of them");
  command->add_option("FILE", *file, "what to do; - reads standard input")
      ->capture_default_str()
      ->type_name("");
  command->footer(kFormat);
  command->callback([&globals, &action, file] { action = [&globals, file] { return txn(globals, *file); }; });
}

}  // namespace quorate::cli
