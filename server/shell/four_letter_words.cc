#include "server/shell/four_letter_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace quorate::server {
namespace {

constexpr std::array<std::string_view, 16> kWords = {"conf", "cons", "crst", "dirs", "dump", "envi",
                                                     "gtmk", "isro", "mntr", "ruok", "srst", "srvr",
                                                     "stat", "wchc", "wchp", "wchs"};

bool known(std::string_view word) { return std::find(kWords.begin(), kWords.end(), word) != kWords.end(); }

class FourLetterConversation final : public Conversation {
 public:
  FourLetterConversation(const ConversationOptions& options, ListenerFigures& figures)
      : options_(options), figures_(figures) {}

  Result<size_t> frame_size(std::string_view bytes) const override {
    return bytes.size() < kGreetingBytes ? size_t{0} : kGreetingBytes;
  }
  Result<Taken> take(std::string_view frame) override {
    word_ = frame;
    allowed_ = options_.words != nullptr && options_.facts != nullptr && options_.words->contains(word_);
    if (!allowed_) return Taken(ClientMessage{options_.connection, ClientReply{}});
    return Taken(ClientRequest{options_.connection, 0, status_for(word_)});
  }
  void encode(const ClientMessage& message, OutputQueue& out) override {
    if (!allowed_) return out.copy(word_ + " is not executed because it is not in the whitelist.\n");
    const auto* reply = std::get_if<ClientReply>(&message.body);
    const auto* status = reply == nullptr ? nullptr : std::get_if<ServerStatus>(&reply->body);
    if (status == nullptr) return;
    out.copy(answer_word(word_, *status, figures_, *options_.facts));
    if (word_ == "srst") figures_.received = figures_.sent = 0;
    if (word_ != "crst") return;
    for (const auto& [id, connection] : figures_.connections) connection->received = connection->sent = 0;
  }
  bool ended() const override { return !word_.empty(); }

 private:
  const ConversationOptions options_;
  ListenerFigures& figures_;
  std::string word_;
  bool allowed_ = false;
};

}  // namespace

Result<std::set<std::string>> parse_four_letter_words(const std::string& text) {
  std::set<std::string> words;
  if (text == "*") return std::set<std::string>(kWords.begin(), kWords.end());
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, comma - begin);
    if (!known(word)) {
      return {
          ErrorCode::kBadConfiguration,
          fmt::format("'{}' is no word that is answered: choose of {}, or *", word, fmt::join(kWords, ", "))};
    }
    words.insert(word);
    begin = comma + 1;
  }
  return words;
}

bool is_four_letter_word(std::string_view bytes) { return known(bytes); }

StatusRequest status_for(std::string_view word) {
  using Detail = StatusRequest::Detail;
  using Reset = StatusRequest::Reset;
  if (word == "cons" || word == "stat") return {Detail::kConnections, Reset::kNone};
  if (word == "wchs" || word == "wchc" || word == "wchp") return {Detail::kWatches, Reset::kNone};
  if (word == "dump") return {Detail::kSessions, Reset::kNone};
  if (word == "srst") return {Detail::kNone, Reset::kServer};
  if (word == "crst") return {Detail::kNone, Reset::kConnections};
  return {};
}

std::unique_ptr<Conversation> four_letter_conversation(const ConversationOptions& options,
                                                       ListenerFigures& figures) {
  return std::make_unique<FourLetterConversation>(options, figures);
}

}  // namespace quorate::server
