// What the simulated clients do: keys, locks, sequential creates, watches; and an auditor that reads
// everything in the end.
//
// Thread safety: none.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/client.h"
#include "tests/sim/history.h"
#include "tests/sim/lock_history.h"
#include "tests/sim/place_history.h"
#include "tests/sim/recipe_histories.h"
#include "tests/sim/watch_history.h"

namespace quorate::sim {

// The paths of all locks begin so.
inline constexpr const char* kLockPrefix = "/l";

// What all clients of a run write their observations into.
struct Histories {
  Histories(const std::function<bool(uint32_t)>& lease_valid, bool leases_count)
      : registers(order),
        locks(lease_valid, leases_count),
        sequences(order),
        recipes(lease_valid, leases_count) {}

  RealTimeOrder order;
  RegisterHistory registers;
  LockHistory locks;
  PlaceHistory places{{kLockPrefix}};
  SequenceHistory sequences;
  WatchHistory watches;
  RecipeHistories recipes;
  std::map<std::string, FencedResource> resources;
};

// Does something every now and then while its session is open.
class PeriodicClient : public Client {
 public:
  PeriodicClient(Context& context, Connections& connections, uint32_t number, uint32_t servers,
                 Histories& histories)
      : Client(context, connections, number, servers), histories_(histories) {}

 protected:
  void on_ready(bool fresh) override;
  void on_session_lost() override {}
  virtual void act() = 0;
  void act_soon();
  // How often a client of locks asks about a token.
  static constexpr double kVerifyChance = 0.2;
  // Asks whether the lock is held with this token. The answer must be true at some instant since.
  void verify(const std::string& lock, Token token);

  Histories& histories_;

 private:
  bool act_scheduled_ = false;
};

std::string key_path(uint32_t key);
std::string lock_path(uint32_t lock);
inline constexpr const char* kSequenceParent = "/seq";
inline constexpr const char* kChurnParent = "/churn";

// Reads and writes registers, several at once, every value unique.
class KeyClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;

 private:
  static constexpr size_t kOutstandingMax = 4;
  void act() override;
  void get(const std::string& key);
  void change(const std::string& key, WriteKind kind, int32_t version);

  uint64_t next_value_ = 1;
  size_t outstanding_ = 0;
  std::map<std::string, int32_t> versions_;
};

// Acquires a lock, works on what it protects, lets go.
class LockClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;
  bool idle() const override { return state_ == State::kIdle && Client::idle(); }

 private:
  enum class State : uint8_t { kIdle, kAcquiring, kWaiting, kHolding, kReleasing };
  void on_ready(bool fresh) override;
  void on_session_lost() override;
  void on_grant(const lock::Grant& grant) override;
  void act() override;
  void acquired(const kv::Outcome& outcome);
  void hold();
  void work(uint64_t round, uint32_t left);
  void stop_waiting(uint64_t round);
  void ask_place(bool give_up);
  void release(uint64_t round);

  State state_ = State::kIdle;
  uint64_t round_ = 0;  // of acquiring, so that timers of an earlier one do nothing
  std::string lock_, node_;
  Token token_;
  ConnectionId waiting_on_;  // the connection that has been there since we knew that we wait, or none
  std::set<std::string> early_grants_;
};

class SequenceClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;

 private:
  void act() override;
  uint64_t next_ = 1;
};

// Opens sessions, owns nodes by them, and closes them or is silent until they are over. Once a session is
// known to be over no read may show its nodes.
class ChurnClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;

 private:
  void act() override;
  void on_session_lost() override;
  void create();
  void look();

  std::set<std::string> mine_;  // names of this session's nodes
  std::set<std::string> gone_;  // those of sessions that are over
};

// Keeps one-shot watches on the keys, and reads the keys beside them.
class WatchClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;

 private:
  struct Active {
    std::string key;
    WatchHistory::Seen seen;
  };
  void on_ready(bool fresh) override;
  void on_session_lost() override;
  void on_watch(const kv::WatchEvent& event) override;
  void act() override;
  void look(const std::string& key, uint64_t watch);

  uint64_t next_watch_ = 1;
  std::set<std::string> asked_;  // keys whose registering read is under way
  std::map<uint64_t, Active> active_;
  size_t outstanding_ = 0;
};

// Reads every key and every sequential node when all else is quiet.
class Auditor final : public Client {
 public:
  Auditor(Context& context, Connections& connections, uint32_t number, uint32_t servers, Histories& histories)
      : Client(context, connections, number, servers), histories_(histories) {}

  bool finished() const { return asked_ && idle(); }
  const std::map<std::string, WatchHistory::Seen>& keys() const { return keys_; }
  // Name and data, in the order of creation.
  std::vector<std::pair<std::string, std::string>> sequence() const;

 private:
  void on_ready(bool fresh) override;
  void on_session_lost() override {}
  void read_key(const std::string& key);
  void read_sequence();

  Histories& histories_;
  bool asked_ = false;
  std::map<std::string, WatchHistory::Seen> keys_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> data_;
};

}  // namespace quorate::sim
