// What one connection of the load says and hears. The load generator knows steps and slots; an adapter turns
// them into the bytes of one protocol and back. One object serves one connection for its whole life.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace quorate::bench {

inline constexpr uint32_t kKeys = 1000;
inline constexpr size_t kValueBytes = 100;

enum class Step : uint8_t { kCreate, kSet, kGet, kAcquire, kRelease };

// A slot is one of the requests that a connection has outstanding at a time; at most one request is under way
// in each. The key says which node or lock.
struct Request {
  Step step;
  uint32_t key;
  uint32_t slot;
};

struct Heard {
  enum class Kind : uint8_t {
    kIncomplete,  // `bytes` is 0: more must be read
    kNothing,     // a message that answers no request
    kReady,       // the answer to open()
    kDone,        // the request of `slot` was done
    kRefused,     // the request of `slot` was refused, or open() was: see code and why
    kFarewell,    // the answer to close()
    kEnded,       // the server says that nothing more will be answered
    kBroken,      // the bytes are not of this protocol
  };
  Kind kind = Kind::kIncomplete;
  size_t bytes = 0;  // taken from the front of the input
  uint32_t slot = 0;
  ErrorCode code = ErrorCode::kOk;
  std::string_view why = {};  // into the input, or of the conversation; until the next message is heard
};

class Conversation {
 public:
  Conversation() = default;
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  virtual ~Conversation() = default;

  // Appends what is said first. True if kReady must be heard before the first request.
  virtual bool open(std::string& out) = 0;
  // Appends one request. REQUIRES: no request of this slot is under way.
  virtual void request(const Request& request, std::string& out) = 0;
  // Parses the first message of `in`, and appends what has to be said because of it.
  virtual Heard hear(std::string_view in, std::string& out) = 0;
  // Appends a farewell. True if kFarewell must be heard before the connection is closed.
  virtual bool close(std::string& out) = 0;
};

// Makes the conversation of connection `number`.
using ConversationFactory = std::function<std::unique_ptr<Conversation>(uint32_t number)>;

}  // namespace quorate::bench
