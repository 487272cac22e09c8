// ZooKeeper's four-letter words: a client sends four letters, is answered with text in the format that
// monitoring agents parse, and the connection closes.
//
// Thread safety: none.
#pragma once

#include <cstdint>
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
  uint64_t received = 0;  // requests
  uint64_t sent = 0;      // answers and events
  std::string address;    // of the client port
};

// REQUIRES: is_four_letter_word(word). The figures outlive the conversation.
std::unique_ptr<Conversation> four_letter_conversation(const ConversationOptions& options,
                                                       const ListenerFigures& figures);

// The answer, from this server's own view.
std::string answer_word(std::string_view word, const ServerStatus& status, const ListenerFigures& figures);

}  // namespace quorate::server
