// ZooKeeper's four-letter words: a client sends four letters, is answered with text in the format that
// monitoring agents parse, and the connection closes.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "server/client_message.h"
#include "server/shell/conversation.h"

namespace quorate::server {

// ZooKeeper itself allows only srvr by default.
inline constexpr std::string_view kFourLetterWordsDefault = "srvr,ruok,isro,mntr,envi,stat";

// "srvr,ruok", or "*" for all. Errors: kBadConfiguration for a word that there is not.
Result<std::set<std::string>> parse_four_letter_words(const std::string& text);

// Whether a connection that begins with these four bytes asks for a word, allowed or not.
bool is_four_letter_word(std::string_view bytes);

// What the listener has counted and knows of itself, all protocols together.
struct ListenerFigures {
  struct Connection {
    std::string address;   // "10.0.0.1:4711"
    int64_t since_ms = 0;  // of the wall clock
    uint64_t received = 0, sent = 0;
  };
  uint64_t received = 0;  // requests
  uint64_t sent = 0;      // answers and events
  std::string address;    // of the client port
  std::map<ConnectionId, std::shared_ptr<Connection>> connections;
};

// What does not change while a server runs.
struct ServerFacts {
  std::string log_folder, state_folder;
  uint32_t session_timeout_min_ms = 0, session_timeout_max_ms = 0;
  size_t connections_per_address_max = 0;  // 0: no such limit
};

// REQUIRES: is_four_letter_word(word). The figures outlive the conversation.
std::unique_ptr<Conversation> four_letter_conversation(const ConversationOptions& options,
                                                       ListenerFigures& figures);

// What a word has to be told of the replica, and what it has to do there.
StatusRequest status_for(std::string_view word);

// The answer, from this server's own view; `status` as status_for(word) asks for it. (four_letter_texts.cc)
std::string answer_word(std::string_view word, const ServerStatus& status, const ListenerFigures& figures,
                        const ServerFacts& facts);

}  // namespace quorate::server
