#include "server/shell/zoo_cfg.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "server/shell/address.h"

namespace quorate::server {

namespace {

constexpr uint64_t kTickMsDefault = 3'000;  // ZooKeeper's
// Session timeouts in ticks where the file does not say them, as in ZooKeeper.
constexpr uint64_t kSessionTicksMin = 2, kSessionTicksMax = 20;

Error bad(std::string message) { return {ErrorCode::kBadConfiguration, std::move(message)}; }

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\f");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\f") - begin + 1);
}

std::optional<int64_t> number_of(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(trimmed(part));
  return parts;
}

// host:port, or [v6]:port, at the front of `text`; what follows the port stays in `text`.
std::optional<Address> take_address(std::string& text) {
  const size_t host_end = text.starts_with('[') ? text.find(']') : text.find(':');
  if (host_end == std::string::npos) return std::nullopt;
  const size_t colon = text.find(':', host_end);
  if (colon == std::string::npos) return std::nullopt;
  const size_t end = std::min(text.find(':', colon + 1), text.size());
  auto address = parse_address(text.substr(0, end));
  if (!address.ok()) return std::nullopt;
  text.erase(0, end);
  return *address;
}

// server.N=host:peer:election[:role][;[host:]client]
struct ServerLine {
  Address peer;
  std::optional<std::string> client_host, client_port;
};

Result<ServerLine> parse_server(const std::string& text) {
  const Error shape = bad("write server.N=HOST:PORT:PORT[:participant][;[HOST:]PORT]");
  const size_t semicolon = text.find(';');
  std::string quorum = trimmed(text.substr(0, semicolon));
  if (quorum.find('|') != std::string::npos)
    return bad("several addresses of a server are not supported: leave one");
  ServerLine line;
  const auto peer = take_address(quorum);
  if (!peer) return shape;
  line.peer = *peer;
  const std::vector<std::string> rest = split(quorum, ':');  // "", election, role
  if (rest.size() < 2 || rest.size() > 3 || !number_of(rest[1])) return shape;
  if (rest.size() == 3 && rest[2] == "observer")
    return bad("observers are not supported: take this line out, on all servers");
  if (rest.size() == 3 && rest[2] != "participant") return shape;
  if (semicolon == std::string::npos) return line;
  const std::string client = trimmed(text.substr(semicolon + 1));
  const size_t colon = client.rfind(':');
  line.client_port = colon == std::string::npos ? client : client.substr(colon + 1);
  if (colon != std::string::npos) line.client_host = client.substr(0, colon);
  if (!number_of(*line.client_port)) return shape;
  return line;
}

class Reader {
 public:
  Result<ZooCfg> read(const std::string& text, const std::optional<std::string>& myid) {
    std::stringstream in(text);
    for (std::string line; std::getline(in, line);) {
      ++line_;
      if (Status status = take(trimmed(line)); !status.ok())
        return bad(fmt::format("line {}: {}", line_, status.error().message));
    }
    if (Status status = put_whole(myid); !status.ok()) return status.error();
    return std::move(cfg_);
  }

 private:
  Status take(const std::string& line) {
    if (line.empty() || line[0] == '#' || line[0] == '!') return {};
    const size_t equals = line.find('=');
    if (equals == std::string::npos) return bad(fmt::format("'{}' is no KEY=VALUE", line));
    const std::string key = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
    if (key.starts_with("server.")) return take_server(key, value);
    if (kTaken.contains(key)) {
      given_[key] = {value, line_};
      return {};
    }
    cfg_.ignored.push_back(fmt::format("{}={}: {}", key, value, reason_of(key)));
    return {};
  }

  static std::string reason_of(const std::string& key) {
    if (const auto reason = kReasons.find(key); reason != kReasons.end()) return reason->second;
    if (key.starts_with("autopurge."))
      return "old checkpoints and logs are removed as soon as they are not needed";
    if (key.starts_with("authProvider.") || key.starts_with("kerberos.") || key.starts_with("jaas"))
      return "users of SASL DIGEST-MD5 are in the file of --sasl-users; a JAAS file is not read";
    return "there is no such setting here";
  }

  Status take_server(const std::string& key, const std::string& value) {
    const auto id = number_of(key.substr(7));
    if (!id || *id < 1 || *id > 255) return bad(fmt::format("'{}': ids go from 1 to 255", key));
    auto line = parse_server(value);
    if (!line.ok()) return bad(fmt::format("{}: {}", key, line.error().message));
    servers_[static_cast<uint32_t>(*id)] = *line;
    return {};
  }

  void put(const char* key, std::string text, unsigned line) {
    cfg_.values.push_back({key, std::move(text), line});
  }

  // A number that the key gives, or nothing where it is not given, or (ZooKeeper's "default") negative.
  Result<std::optional<uint64_t>> number(const char* key) {
    const auto found = given_.find(key);
    if (found == given_.end()) return std::optional<uint64_t>();
    const auto value = number_of(found->second.text);
    if (!value)
      return bad(fmt::format("line {}: {}: '{}' is no number", found->second.line, key, found->second.text));
    if (*value < 0) return std::optional<uint64_t>();
    return std::optional<uint64_t>(static_cast<uint64_t>(*value));
  }

  Status put_whole(const std::optional<std::string>& myid) {
    const auto data = given_.find("dataDir");
    if (data == given_.end()) return bad("dataDir is missing");
    put("data", (std::filesystem::path(data->second.text) / kZooCfgDataFolder).string(), data->second.line);
    if (Status status = put_limits(); !status.ok()) return status;
    if (Status status = put_servers(myid); !status.ok()) return status;
    return put_client();
  }

  Status put_limits() {
    const auto tick = number("tickTime"), least = number("minSessionTimeout"),
               most = number("maxSessionTimeout"), per_address = number("maxClientCnxns"),
               all = number("maxCnxns");
    for (const auto* value : {&tick, &least, &most, &per_address, &all}) {
      if (!value->ok()) return value->error();
    }
    const uint64_t tick_ms = tick->value_or(kTickMsDefault);
    put("session-timeout-min", fmt::format("{}ms", least->value_or(kSessionTicksMin * tick_ms)), 0);
    put("session-timeout-max", fmt::format("{}ms", most->value_or(kSessionTicksMax * tick_ms)), 0);
    if (per_address->value_or(0) > 0)
      put("client-connections-per-address-max", std::to_string(**per_address), given_["maxClientCnxns"].line);
    if (all->value_or(0) > 0) put("client-connections-max", std::to_string(**all), given_["maxCnxns"].line);
    if (const auto words = given_.find("4lw.commands.whitelist"); words != given_.end()) {
      std::string list = words->second.text;
      std::erase_if(list, [](char c) { return c == ' '; });
      put("four-letter-words", list, words->second.line);
    }
    return {};
  }

  // One server line is a server alone, as in ZooKeeper.
  Status put_servers(const std::optional<std::string>& myid) {
    if (servers_.size() < 2) return {};
    const auto id = myid ? number_of(trimmed(myid->substr(0, myid->find('\n')))) : std::nullopt;
    if (!id)
      return bad("dataDir/myid is missing or holds no number: write the N of this server's server.N into it");
    const auto own = servers_.find(static_cast<uint32_t>(*id));
    if (*id < 1 || own == servers_.end())
      return bad(fmt::format("myid is {}, and there is no line server.{}", *id, *id));
    own_ = own->second;
    std::string cluster;
    for (const auto& [server, line] : servers_)
      cluster += fmt::format("{}{}={}", cluster.empty() ? "" : ",", server, to_string(line.peer));
    put("id", std::to_string(*id), 0);
    put("cluster", cluster, 0);
    return {};
  }

  // ZooKeeper listens on all addresses unless told otherwise.
  Status put_client() {
    const auto port = given_.find("clientPort"), host = given_.find("clientPortAddress");
    std::string text = port != given_.end() ? port->second.text : "";
    std::string address = host != given_.end() ? host->second.text : "0.0.0.0";
    if (own_ && own_->client_port) {
      text = *own_->client_port;
      if (own_->client_host) address = *own_->client_host;
    }
    if (text.empty()) return bad("clientPort is missing");
    if (address.find(':') != std::string::npos && !address.starts_with('[')) address = "[" + address + "]";
    put("client", address + ":" + text, port != given_.end() ? port->second.line : 0);
    const bool any = address == "0.0.0.0" || address == "[::]";
    if (any && own_) put("advertise-client", own_->peer.host + ":" + text, 0);
    return {};
  }

  struct Given {
    std::string text;
    unsigned line = 0;
  };
  static inline const std::set<std::string> kTaken = {
      "clientPort",       "clientPortAddress", "dataDir",
      "tickTime",         "minSessionTimeout", "maxSessionTimeout",
      "maxClientCnxns",   "maxCnxns",          "4lw.commands.whitelist",
      "dynamicConfigFile"};
  static inline const std::map<std::string, std::string> kReasons = {
      {"initLimit", "a server that joins is waited for as long as it makes progress"},
      {"syncLimit", "a server that does not answer is noticed within --election-timeout"},
      {"dataLogDir", "log and checkpoints share one folder"},
      {"electionAlg", "leaders are elected by Raft"},
      {"leaderServes", "every server serves clients"},
      {"snapCount", "checkpoints are made by --checkpoint-dirty-bytes and --checkpoint-log-bytes"},
      {"preAllocSize", "the log's files are of --segment-bytes"},
      {"forceSync", "every write is synced"},
      {"fsync.warningthresholdms", "syncs over 50 ms are logged"},
      {"standaloneEnabled", "a server alone needs no setting"},
      {"reconfigEnabled", "members cannot be changed yet"},
      {"extendedTypesEnabled", "containers and nodes with a time to live are always there"},
      {"secureClientPort", "TLS is not served yet"},
      {"admin.enableServer", "there is no admin server"},
      {"admin.serverPort", "there is no admin server"},
      {"peerType", "the role stands in the lines of the servers"},
      {"readonlymode.enabled", "say --read-only-mode on"},
      {"sessionRequireClientSASLAuth",
       "clients without SASL are served: lists of permissions say what they may do"},
  };

  ZooCfg cfg_;
  std::map<std::string, Given> given_;
  std::map<uint32_t, ServerLine> servers_;
  std::optional<ServerLine> own_;
  unsigned line_ = 0;
};

Result<std::string> text_of(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  if (!in || std::filesystem::is_directory(path) || !(text << in.rdbuf()))
    return bad(fmt::format("{}: cannot be read", path));
  return text.str();
}

// The value of a key, as the last line that gives it says.
std::string value_of(const std::string& text, const std::string& key) {
  std::string value;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos && trimmed(line.substr(0, equals)) == key)
      value = trimmed(line.substr(equals + 1));
  }
  return value;
}

}  // namespace

Result<ZooCfg> parse_zoo_cfg(const std::string& text, const std::optional<std::string>& myid) {
  return Reader().read(text, myid);
}

Result<ZooCfg> read_zoo_cfg(const std::string& path) {
  auto text = text_of(path);
  if (!text.ok()) return text.error();
  if (const std::string dynamic = value_of(*text, "dynamicConfigFile"); !dynamic.empty()) {
    auto more = text_of(dynamic);
    if (!more.ok()) return bad(fmt::format("{}: dynamicConfigFile {}", path, more.error().message));
    *text += "\n" + *more;
  }
  auto myid = text_of((std::filesystem::path(value_of(*text, "dataDir")) / "myid").string());
  auto cfg = parse_zoo_cfg(*text, myid.ok() ? std::optional(*myid) : std::nullopt);
  if (!cfg.ok()) return bad(fmt::format("{}: {}", path, cfg.error().message));
  return cfg;
}

}  // namespace quorate::server
