#include "server/shell/config.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <sstream>
#include <utility>

#include "server/shell/config_file.h"
#include "server/shell/four_letter_words.h"
#include "server/shell/sasl_users.h"
#include "server/shell/zoo_cfg.h"

namespace quorate::server {

namespace {

constexpr int kExitUsage = 2;

// As long as ZooKeeper's servers look for a leader before they serve without.
constexpr Duration kReadOnlyAfter = std::chrono::seconds(2);

constexpr const char* kFooter =
    "TIME is a number with a unit: 150ms, 10s, 2m, 1h. SIZE too: 1000B, 512KiB, 64MiB, 1GiB.\n"
    "An IPv6 address stands in brackets: [::1]:2181. Names are looked up at each connect.\n"
    "Exit codes: 0 stopped by SIGTERM, SIGINT or SIGHUP; 1 refused to start, or ended because the disk\n"
    "failed; 2 wrong flags or configuration. A broken invariant ends it by SIGABRT.";

Error bad(std::string message) { return {ErrorCode::kBadConfiguration, std::move(message)}; }

// One flag: what it is called in both places, and what its text does to the configuration.
struct Flag {
  const char* name;
  const char* type;
  const char* help;
  std::function<Status(ServerConfig&, const std::string&)> set;
};

template <class Field>
Status set_duration(Field& field, const std::string& text) {
  auto value = parse_duration(text);
  if (!value.ok()) return value.error();
  field = *value;
  return {};
}

template <class Field>
Status set_bytes(Field& field, const std::string& text) {
  auto value = parse_bytes(text);
  if (!value.ok()) return value.error();
  if (*value == 0) return bad("0 is no limit");
  field = static_cast<Field>(*value);
  return {};
}

Status set_number(uint64_t& field, const std::string& text, uint64_t least, uint64_t most) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), field);
  if (error != std::errc() || end != text.data() + text.size() || field < least || field > most) {
    return bad(fmt::format("'{}' is no number from {} to {}", text, least, most));
  }
  return {};
}

Status set_address(Address& field, const std::string& text) {
  auto value = parse_address(text);
  if (!value.ok()) return value.error();
  field = *value;
  return {};
}

Status set_milliseconds(uint32_t& field, const std::string& text) {
  Duration value{};
  if (Status status = set_duration(value, text); !status.ok()) return status;
  if (to_ms(value) < 1 || to_ms(value) > INT32_MAX) return bad(fmt::format("'{}' is out of range", text));
  field = static_cast<uint32_t>(to_ms(value));
  return {};
}

Status set_log_level(LogLevel& field, const std::string& text) {
  const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::kDebug},
                                                  {"info", LogLevel::kInfo},
                                                  {"warning", LogLevel::kWarning},
                                                  {"error", LogLevel::kError}};
  const auto level = levels.find(text);
  if (level == levels.end())
    return bad(fmt::format("'{}' is no level: choose debug, info, warning or error", text));
  field = level->second;
  return {};
}

Status set_cluster(ServerConfig& config, const std::string& text) {
  auto members = parse_cluster(text);
  if (!members.ok()) return members.error();
  config.cluster = std::move(*members);
  return {};
}

// A password in its place would be taken, and nobody could prove it. A SHA-1 in base64 has 27 digits and one
// "=".
bool is_sha1_digest(const std::string& text) {
  constexpr size_t kDigits = 28;
  const size_t colon = text.find(':');
  return kv::validate_credential({"digest", text}).ok() && text.size() - colon - 1 == kDigits &&
         text.find('=') == text.size() - 1;
}

const std::vector<Flag>& flags() {
  using C = ServerConfig;
  using S = const std::string;
  static const std::vector<Flag> all = {
      {"id", "ID", "this server's id in --cluster, 1 to 255",
       [](C& c, S& text) {
         uint64_t id = 0;
         Status status = set_number(id, text, 1, 255);
         c.id = ServerId(static_cast<uint32_t>(id));
         return status;
       }},
      {"data", "DIR", "data folder (default ./quorate-data)",
       [](C& c, S& text) {
         return text.empty() ? Status(bad("a folder is needed")) : (c.data = text, Status());
       }},
      {"cluster", "ID=HOST:PORT,...", "every server that forms the cluster; the log knows them afterwards",
       set_cluster},
      {"client", "HOST:PORT", "where clients are served (default 127.0.0.1:2181)",
       [](C& c, S& text) { return set_address(c.listen_client, text); }},
      {"advertise-client", "HOST:PORT", "where clients reach this server (default: --client)",
       [](C& c, S& text) {
         Address checked;
         c.advertise_client = text;
         return set_address(checked, text);
       }},
      {"listen-peer", "HOST:PORT", "where peers are served (default: our address in --cluster)",
       [](C& c, S& text) { return set_address(c.listen_peer.emplace(), text); }},
      {"log-level", "LEVEL", "debug, info, warning or error (default info)",
       [](C& c, S& text) { return set_log_level(c.log_level, text); }},
      {"log-file", "FILE", "where the log of events goes (default: standard error)",
       [](C& c, S& text) { return c.log_file = text, Status(); }},
      {"election-timeout", "TIME",
       "shortest time without a leader before an election; the longest is twice that (default 150ms)",
       [](C& c, S& text) {
         Status status = set_duration(c.raft.election_timeout_min, text);
         c.raft.election_timeout_max = 2 * c.raft.election_timeout_min;
         return status;
       }},
      {"heartbeat", "TIME",
       "between a leader's heartbeats; the lease of its followers is three (default 10ms)",
       [](C& c, S& text) {
         Status status = set_duration(c.raft.heartbeat_interval, text);
         c.raft.lease = 3 * c.raft.heartbeat_interval;
         return status;
       }},
      {"segment-bytes", "SIZE", "one file of the log (default 64MiB)",
       [](C& c, S& text) { return set_bytes(c.wal.segment_bytes, text); }},
      {"checkpoint-dirty-bytes", "SIZE",
       "changes to the state after which a checkpoint is made; at four times as much, applying waits for it "
       "(default 16MiB)",
       [](C& c, S& text) { return set_bytes(c.checkpoint_dirty_bytes, text); }},
      {"checkpoint-log-bytes", "SIZE", "growth of the log after which a checkpoint is made (default 64MiB)",
       [](C& c, S& text) { return set_bytes(c.checkpoint_log_bytes, text); }},
      {"log-kept-bytes", "SIZE",
       "log behind a checkpoint, kept for servers that lag a little (default 16MiB)",
       [](C& c, S& text) { return set_bytes(c.log_kept_bytes, text); }},
      {"history-bytes-max", "SIZE", "changes kept for watches that resume (default 8MiB)",
       [](C& c, S& text) { return set_bytes(c.kv.history_bytes_max, text); }},
      {"uncommitted-bytes-max", "SIZE",
       "entries without a quorum, beyond which writes are refused (default 64MiB)",
       [](C& c, S& text) { return set_bytes(c.raft.uncommitted_bytes_max, text); }},
      {"super-digest", "USER:DIGEST",
       "who may do everything: user:base64(sha1(user:password)), the same on all servers (default: nobody)",
       [](C& c, S& text) {
         if (!is_sha1_digest(text)) return Status(bad("write user:base64(sha1(user:password))"));
         return c.super_digest = text, Status();
       }},
      {"nodes-max", "COUNT", "nodes, beyond which none are made (default 20000000)",
       [](C& c, S& text) { return set_number(c.nodes_max, text, 1, UINT32_MAX); }},
      {"data-bytes-max", "SIZE", "data of all nodes, beyond which none is added (default 8GiB)",
       [](C& c, S& text) { return set_bytes(c.data_bytes_max, text); }},
      {"sessions-max", "COUNT", "sessions, beyond which none are opened (default 200000)",
       [](C& c, S& text) { return set_number(c.sessions_max, text, 1, 100'000'000); }},
      {"session-timeout-min", "TIME", "shortest timeout that a session gets (default 1s)",
       [](C& c, S& text) { return set_milliseconds(c.session_timeout_min_ms, text); }},
      {"session-timeout-max", "TIME", "longest timeout that a session gets (default 60s)",
       [](C& c, S& text) { return set_milliseconds(c.session_timeout_max_ms, text); }},
      {"client-connections-max", "COUNT", "open client connections (default 10000)",
       [](C& c, S& text) {
         uint64_t count = 0;
         Status status = set_number(count, text, 1, 1'000'000);
         c.clients.connections_max = count;
         return status;
       }},
      {"client-connections-per-address-max", "COUNT",
       "open client connections from one address (default: no limit but the one above)",
       [](C& c, S& text) {
         uint64_t count = 0;
         Status status = set_number(count, text, 1, 1'000'000);
         c.clients.connections_per_address_max = count;
         return status;
       }},
      {"client-frame-bytes-max", "SIZE", "one request (default 3MiB)",
       [](C& c, S& text) { return set_bytes(c.clients.frame_bytes_max, text); }},
      {"four-letter-words", "LIST",
       "ZooKeeper's four-letter words that are answered, or * for all (default "
       "srvr,ruok,isro,mntr,envi,stat)",
       [](C& c, S& text) {
         auto words = parse_four_letter_words(text);
         if (!words.ok()) return Status(words.error());
         return c.clients.words = std::move(*words), Status();
       }},
      {"zookeeper-reads", "HOW",
       "reads of ZooKeeper's clients: local, as in ZooKeeper, or linearizable (default local)",
       [](C& c, S& text) {
         if (text != "local" && text != "linearizable") return Status(bad("choose local or linearizable"));
         return c.zookeeper_linearizable_reads = text == "linearizable", Status();
       }},
      {"mixed-locks", "HOW",
       "allow, or refuse: names of two lock recipes in one queue, whose clients would each believe to hold "
       "it "
       "(default allow)",
       [](C& c, S& text) {
         if (text != "allow" && text != "refuse") return Status(bad("choose allow or refuse"));
         return c.refuse_mixed_locks = text == "refuse", Status();
       }},
      {"read-only-mode", "HOW",
       "on: without a leader for 2s, ZooKeeper's clients that ask for it may read what this server has "
       "(default "
       "off)",
       [](C& c, S& text) {
         if (text != "on" && text != "off") return Status(bad("choose on or off"));
         c.read_only_after = text == "on" ? std::optional(kReadOnlyAfter) : std::nullopt;
         return Status();
       }},
      {"sasl-users", "FILE",
       "whom ZooKeeper's clients may prove to be by SASL DIGEST-MD5: a name:password a line, the same on all "
       "servers (default: no SASL)",
       [](C& c, S& text) {
         auto users = read_sasl_users(text);
         if (!users.ok()) return Status(users.error());
         return c.sasl_users = std::move(*users), Status();
       }},
      {"client-output-bytes-max", "SIZE", "answers that a client has not read (default 8MiB)",
       [](C& c, S& text) { return set_bytes(c.clients.output_bytes_max, text); }},
      {"client-magic-timeout", "TIME", "from a client's connect to its first eight bytes (default 10s)",
       [](C& c, S& text) { return set_duration(c.clients.magic_timeout, text); }},
      {"peer-frame-bytes-max", "SIZE", "one message between servers (default 16MiB)",
       [](C& c, S& text) { return set_bytes(c.peers.frame_bytes_max, text); }},
      {"peer-output-bytes-max", "SIZE", "messages that a peer has not read (default 64MiB)",
       [](C& c, S& text) { return set_bytes(c.peers.output_bytes_max, text); }},
  };
  return all;
}

// What only the whole can tell.
Status check_whole(ServerConfig& config, bool has_id, bool has_cluster) {
  if (!has_cluster) {
    if (config.listen_peer) return bad("--listen-peer without --cluster: a server alone has no peers");
    config.cluster = {{config.id, ""}};
  } else {
    if (!has_id && config.cluster.size() > 1)
      return bad("--id is missing: say which server of --cluster this is");
    const PlannedMember* self = nullptr;
    for (const PlannedMember& member : config.cluster) {
      if (member.id == config.id) self = &member;
    }
    if (self == nullptr) {
      return bad(fmt::format("--id {} is not in --cluster: add {}=HOST:PORT there, or choose an id that is",
                             config.id.value(), config.id.value()));
    }
    if (!config.listen_peer) {
      auto own = parse_address(self->address);
      if (!own.ok()) return own.error();
      config.listen_peer = *own;
    }
  }
  const raft::Options& raft = config.raft;
  if (raft.heartbeat_interval < std::chrono::milliseconds(1)) return bad("--heartbeat must be at least 1ms");
  if (raft.election_timeout_min < raft.lease) {
    return bad(
        "--election-timeout must be at least three times --heartbeat: raise it or lower the heartbeat");
  }
  if (config.session_timeout_min_ms > config.session_timeout_max_ms) {
    return bad("--session-timeout-min is above --session-timeout-max");
  }
  if (config.read_only_after && config.zookeeper_linearizable_reads)
    return bad("--read-only-mode needs --zookeeper-reads local: without a leader no read is linearizable");
  if (config.wal.segment_bytes % 4096 != 0 || config.wal.segment_bytes < (4 << 20)) {
    return bad("--segment-bytes must be a multiple of 4KiB and at least 4MiB");
  }
  if (config.peers.frame_bytes_max < (4 << 20)) return bad("--peer-frame-bytes-max must be at least 4MiB");
  // What a client asks for goes to the leader, with up to 1 MiB of others' in front of it, and into the log,
  // whatever becomes of it there.
  const uint64_t request = config.clients.frame_bytes_max;
  const uint64_t most =
      std::min<uint64_t>(config.peers.frame_bytes_max - (1 << 20), config.wal.segment_bytes);
  if (request > most - (1 << 20)) {
    return bad(
        "--client-frame-bytes-max must be at least 1MiB below --segment-bytes and 2MiB below "
        "--peer-frame-bytes-max");
  }
  return {};
}

// Takes those out that ZooKeeper answers and we do not (hash, stmk): a whitelist is no reason not to start.
void take_unknown_words_out(std::vector<ConfigFileValue>& values, std::vector<std::string>& left_out) {
  const auto given = std::find_if(values.begin(), values.end(), [](const ConfigFileValue& value) {
    return value.key == "four-letter-words" && value.text != "*";
  });
  if (given == values.end()) return;
  std::stringstream list(std::exchange(given->text, {}));
  for (std::string word; std::getline(list, word, ',');) {
    if (word.empty()) continue;
    if (is_four_letter_word(word)) {
      given->text += (given->text.empty() ? "" : ",") + word;
    } else {
      left_out.push_back(fmt::format("4lw.commands.whitelist: '{}' is not answered here", word));
    }
  }
  if (given->text.empty()) values.erase(given);
}

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

CommandLine mistake(const std::string& what) {
  return {std::nullopt, fmt::format("quorated: {} (see quorated --help)\n", one_line(what)), kExitUsage};
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app(
      "Quorate's server. Without flags: one server alone, in ./quorate-data, for clients on 127.0.0.1:2181.",
      "quorated");
  app.get_formatter()->column_width(38);
  app.footer(kFooter);
  // A setting's text, and what names its place for whoever wrote it.
  struct Given {
    std::string text, place;
  };
  std::map<std::string, Given> given;
  std::string config_path, zoo_cfg_path;
  app.add_option("--config", config_path, "TOML file with the same names as the flags; flags win")
      ->type_name("FILE");
  app.add_option("--zoo-cfg", zoo_cfg_path,
                 "ZooKeeper's zoo.cfg, with dataDir/myid; our data stands in dataDir/quorate; flags win")
      ->type_name("FILE");
  for (const Flag& flag : flags()) {
    app.add_option_function<std::string>(
           fmt::format("--{}", flag.name),
           [&given, &flag](const std::string& text) {
             given[flag.name] = {text, fmt::format("--{}", flag.name)};
           },
           flag.help)
        ->type_name(flag.type);
  }
  bool rebuild = false;
  app.add_flag(
      "--rebuild-state", rebuild,
      "throw the state in --data away, keep all else, and end; the next start gets it from the others");
  app.set_version_flag("--version", "quorated " QUORATE_VERSION, "print the version and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, app.help(), 0};
  } catch (const CLI::CallForVersion&) {
    return {std::nullopt, "quorated " QUORATE_VERSION "\n", 0};
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string what = error.what();
    return mistake(what.substr(0, what.find(':')) + ": give it exactly one value");
  } catch (const CLI::ExtrasError&) {
    return mistake(fmt::format("'{}' is no flag", app.remaining().front()));
  } catch (const CLI::ParseError& error) {
    return mistake(error.what());
  }

  if (!config_path.empty() && !zoo_cfg_path.empty())
    return mistake("--config and --zoo-cfg: give one of them");
  std::vector<ConfigFileValue> values;
  std::vector<std::string> notices;
  if (!config_path.empty()) {
    auto file = read_config_file(config_path);
    if (!file.ok()) return mistake(file.error().message);
    values = std::move(*file);
  } else if (!zoo_cfg_path.empty()) {
    auto cfg = read_zoo_cfg(zoo_cfg_path);
    if (!cfg.ok()) return mistake(cfg.error().message);
    values = std::move(cfg->values);
    take_unknown_words_out(values, cfg->ignored);
    for (const std::string& ignored : cfg->ignored)
      notices.push_back(fmt::format("{}: without effect: {}", zoo_cfg_path, ignored));
  }
  const std::string& path = config_path.empty() ? zoo_cfg_path : config_path;
  for (const ConfigFileValue& value : values) {
    const auto known = std::find_if(flags().begin(), flags().end(),
                                    [&](const Flag& flag) { return flag.name == value.key; });
    if (known == flags().end())
      return mistake(fmt::format("{}:{}: '{}' is no setting", path, value.line, value.key));
    const std::string place = value.line > 0 ? fmt::format("{}:{}", path, value.line) : path;
    given.emplace(value.key, Given{value.text, fmt::format("{}: {}", place, value.key)});
  }
  ServerConfig config;
  for (const Flag& flag : flags()) {
    const auto found = given.find(flag.name);
    if (found == given.end()) continue;
    if (const Status set = flag.set(config, found->second.text); !set.ok()) {
      return mistake(fmt::format("{}: {}", found->second.place, set.error().message));
    }
  }
  if (const Status whole = check_whole(config, given.contains("id"), given.contains("cluster"));
      !whole.ok()) {
    return mistake(whole.error().message);
  }
  config.rebuild_state = rebuild;
  config.notices = std::move(notices);
  return {std::move(config), {}, 0};
}

}  // namespace quorate::server
