// What the commands of `quorate` share: the options that go before a command, exit codes, how results and
// errors are printed.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "client/quorate/client.h"

namespace CLI {
class App;
}

namespace quorate::cli {

using client::Client;
using std::chrono::milliseconds;

class Endpoints;
class Progress;
class SharedClient;

enum Exit : int {
  kDone = 0,
  kAnswerIsNo = 1,  // no node, version mismatch, ...
  kWrongUsage = 2,
  kNoService = 3,  // no server reachable, no quorum
  kUnknownOutcome = 4,
  kDeniedAccess = 5,
};
int exit_code(ErrorCode code);

// Those of `lock run`, beside its command's own.
inline constexpr int kExitNotObtained = 124;
inline constexpr int kExitLockFailed = 125;
inline constexpr int kExitCannotRun = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitSignal = 128;

struct Globals {
  std::vector<std::string> endpoints{"127.0.0.1:2181"};
  bool json = false;
  milliseconds session_timeout{10'000};
  milliseconds request_timeout{5'000};
  std::vector<client::Credential> credentials;
  SharedClient* shared = nullptr;  // the shell's, whose line this is
  bool quiet = false;              // neither progress nor endpoints that do not work are told

  // `told`: who is told of the endpoints; else that is said at once on stderr.
  client::Options client_options(std::shared_ptr<Endpoints> told = nullptr) const;
};

// The client of one command: its own, or the shell's. Each call looks first whether a signal came that a
// shell remembers (signals.h), and throws Interrupted then: so a command of many calls ends between two of
// them. On a terminal a call of a command that takes longer than a second tells so, or what show() was told.
//
// Thread safety: as that of Client.
class CommandClient {
 public:
  // Lives as long as a call: client->get(path).
  class Call {
   public:
    explicit Call(const CommandClient& of);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    Client* operator->() const { return of_.client_; }

   private:
    const CommandClient& of_;
  };

  explicit CommandClient(const Globals& globals, std::function<void()> on_session_lost = {});
  ~CommandClient();
  CommandClient(const CommandClient&) = delete;
  CommandClient& operator=(const CommandClient&) = delete;

  // For what makes calls of its own.
  Client& operator*() const;
  Call operator->() const { return Call(*this); }
  // How far the command is, for a terminal.
  void show(const std::function<std::string()>& text) const;

 private:
  std::string waiting_text(const std::string& told) const;

  std::shared_ptr<Endpoints> endpoints_;
  std::unique_ptr<Client> own_;
  Client* client_;
  mutable std::atomic<int> calls_ = 0;  // under way
  std::unique_ptr<Progress> progress_;  // last: its thread asks for the others
};

// A command, ready to run after the command line was parsed. Returns the exit code.
using Action = std::function<int()>;
// Each adds its commands to the application; the one that was chosen sets `action`.
void add_data_commands(CLI::App& app, const Globals& globals, Action& action);
// `command` is what stood behind "--".
void add_lock_commands(CLI::App& app, const Globals& globals, const std::vector<std::string>& command,
                       Action& action);
void add_election_commands(CLI::App& app, const Globals& globals, const std::vector<std::string>& command,
                           Action& action);
void add_service_commands(CLI::App& app, const Globals& globals, const std::vector<std::string>& command,
                          Action& action);
void add_permission_commands(CLI::App& app, const Globals& globals, Action& action);
void add_cluster_commands(CLI::App& app, const Globals& globals, Action& action);
void add_session_commands(CLI::App& app, const Globals& globals, Action& action);
void add_tree_command(CLI::App& app, const Globals& globals, Action& action);
void add_txn_command(CLI::App& app, const Globals& globals, Action& action);
void add_snapshot_commands(CLI::App& app, const Globals& globals, Action& action);
void add_digest_command(CLI::App& app, const Globals& globals, Action& action);
void add_top_command(CLI::App& app, const Globals& globals, Action& action);
void add_bench_command(CLI::App& app, const Globals& globals, Action& action);
void add_import_commands(CLI::App& app, const Globals& globals, Action& action);

void add_shell_command(CLI::App& app, const Globals& globals, Action& action);
void add_completion_command(CLI::App& app, const Globals& globals, Action& action);

struct LockWish {
  std::string path;
  std::vector<std::string> more;  // locks to be taken with it
  client::LockMode mode = client::LockMode::kExclusive;
  uint32_t permits = 0;
  std::optional<milliseconds> wait;
  milliseconds delay{0};
  std::optional<std::string> data{};  // what its place in the queue says
};
int run_under_lock(const Globals& globals, const LockWish& wish, const std::vector<std::string>& command);

// "10s", "500ms", "2m", "1h"; "0" needs no unit. Errors: kInvalidArgument.
Result<milliseconds> parse_duration(std::string_view text);
// DATA itself, "-" for standard input, "@FILE". Errors: kIo, kTooLarge.
Result<std::string> read_data(const std::string& argument);

// "SCHEME:ID:PERMISSIONS", the permissions as letters of "rwcda". Errors: kInvalidArgument.
Result<client::AclEntry> parse_acl_entry(const std::string& text);
Result<client::Acl> parse_acl(const std::vector<std::string>& entries);
std::string permission_letters(uint32_t permissions);

// "a,b" -> a, b.
std::vector<std::string> split_list(const std::string& list);

// USER:PASSWORD in each line; empty lines and those that begin with # say nothing. Errors: kIo,
// kInvalidArgument, which never has the password in it.
Result<std::vector<client::Credential>> read_credentials(const std::string& file);

// What is wrong, on stderr: one line, "quorate: SUBJECT: what is wrong (what to do)", or with --json one
// object on one line. Returns the exit code.
int report(std::string_view subject, const Error& error);
// Without a code of its own, the error is named after the exit code.
int fail(int exit_code, std::string_view sentence);
// At the end of an answer without the children of these nodes, which may not be listed; at least one. With
// --json that is all that is said: the answer is one.
int fail_left_out(const Globals& globals, const std::vector<std::string>& denied);
// With the exit code of a command that was run: it may be another program's own, and is named after what
// 1 to 5 mean here, or "failed".
int fail_with(int exit_code, std::string_view sentence);
int fail(int exit_code, ErrorCode code, std::string_view sentence);
// What is worth a line on stderr and ends nothing; with --json a "notice" in place of the "error".
void note(std::string_view sentence);
// On stderr, where stdout belongs to somebody else: the command of a `run`.
void print_json_beside(const nlohmann::json& value);

// In which form report(), fail() and note() write while it lives: that of the line that runs.
class ErrorForm {
 public:
  explicit ErrorForm(bool json);
  ~ErrorForm();
  ErrorForm(const ErrorForm&) = delete;
  ErrorForm& operator=(const ErrorForm&) = delete;

 private:
  const bool before_;
};

// A line on stdout, at once. A closed pipe ends the program; of other errors the exit code tells at the end.
void print_line(std::string_view line);
void print_json(const nlohmann::json& value);
// An answer that has no lines: a person is told that there is nothing, a pipe gets nothing. kDone.
int print_nothing(std::string_view sentence);
// Whether stdout takes no more. What prints until a signal ends then with kDone, which becomes that error.
bool output_fails();
// Whether colours may be written there: a terminal that has them, whose user did not set NO_COLOR.
bool in_colour(int descriptor);
// Of a name or another text that anybody may have written, as a person sees it: no terminal obeys what is in
// it, and it is one line. Bytes of control characters, and those that are not UTF-8, are \xNN; what is behind
// so many bytes is not shown.
inline constexpr size_t kShownBytesMax = 4096;
std::string visible(std::string_view text);
// Columns as wide as their widest cell, two spaces apart; the first row is the heading, and stands out where
// colours may be written.
void print_table(const std::vector<std::vector<std::string>>& rows);
// The same lines, not printed; the first is the heading. Cells as visible() shows them.
std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& rows);
// The same without a heading: a name and its value a row.
void print_pairs(const std::vector<std::vector<std::string>>& rows);
// What JSON can say as a string.
bool is_utf8(const std::string& text);
// "data": the string, or "data_base64" where it is not UTF-8.
void put_data(nlohmann::json& object, const std::string& data);
nlohmann::json stat_json(const client::Stat& stat);

// "3m12s" since that instant of the wall clock.
std::string age_text(int64_t since_ms);
// "2026-11-22T07:51:56Z": an instant of the wall clock, in UTC. "-" of 0, which is none.
std::string time_text(int64_t ms);
// "0x1f": how ids and hashes are written, in JSON too, where a number would be read as one of 53 bits.
std::string hex_id(uint64_t id);

}  // namespace quorate::cli
