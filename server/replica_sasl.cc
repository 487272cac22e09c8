#include "server/replica_sasl.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace quorate::server {
namespace {

Error refused(std::string why) { return {ErrorCode::kBadCredentials, "SASL: " + std::move(why)}; }

// ISO 8859-1 where all characters are of it, else the bytes as they are. Its characters beyond ASCII have
// two bytes in UTF-8, the first 0xc2 or 0xc3.
std::string latin1(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x80) {
      out.push_back(text[i]);
      continue;
    }
    const auto next = i + 1 < text.size() ? static_cast<uint8_t>(text[i + 1]) : uint8_t{0};
    if ((byte != 0xc2 && byte != 0xc3) || (next & 0xc0) != 0x80) return std::string(text);
    out.push_back(static_cast<char>((byte & 3U) << 6 | (next & 0x3fU)));
    ++i;
  }
  return out;
}

std::string digest_of(std::string_view text) { return hex_digits(quorate::bytes_of(md5(text))); }

// Takes as long wherever they differ.
bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

using Directives = std::map<std::string, std::string, std::less<>>;

// key=value or key="value", with commas between (RFC 2831, section 7.1). Nothing if it is no such list.
class DirectiveReader {
 public:
  explicit DirectiveReader(std::string_view text) : text_(text) {}

  std::optional<Directives> read() {
    Directives all;
    while (true) {
      while (!text_.empty() && (is_space(text_.front()) || text_.front() == ',')) text_.remove_prefix(1);
      if (text_.empty()) return all;
      const size_t equals = text_.find('=');
      if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
      std::string key(text_.substr(0, equals));
      while (!key.empty() && is_space(key.back())) key.pop_back();
      text_.remove_prefix(equals + 1);
      auto value = take_value();
      // One that is said twice could be read in two ways.
      if (!value || !all.emplace(std::move(key), std::move(*value)).second) return std::nullopt;
    }
  }

 private:
  std::optional<std::string> take_value() {
    while (!text_.empty() && is_space(text_.front())) text_.remove_prefix(1);
    if (text_.empty() || text_.front() != '"') {
      const size_t end = std::min(text_.find(','), text_.size());
      std::string value(text_.substr(0, end));
      while (!value.empty() && is_space(value.back())) value.pop_back();
      text_.remove_prefix(end);
      return value;
    }
    std::string value;
    for (size_t i = 1; i < text_.size(); ++i) {
      if (text_[i] == '"') {
        text_.remove_prefix(i + 1);
        return value;
      }
      if (text_[i] == '\\' && ++i == text_.size()) break;
      value.push_back(text_[i]);
    }
    return std::nullopt;
  }

  std::string_view text_;
};

// RFC 2831, sections 2.1.2.1 and 2.1.3: what proves the password, `a2` saying which side does.
std::string response_of(const Md5Digest& secret, const Directives& said, const std::string& a2) {
  std::string a1(quorate::bytes_of(secret));
  a1 += ":" + said.at("nonce") + ":" + said.at("cnonce");
  if (const auto other = said.find("authzid"); other != said.end()) a1 += ":" + other->second;
  return digest_of(digest_of(a1) + ":" + said.at("nonce") + ":" + said.at("nc") + ":" + said.at("cnonce") +
                   ":auth:" + digest_of(a2));
}

// What can be said of a response without knowing a password; "" where it is in order.
std::string problem_of(const SaslService& service, std::string_view nonce, const Directives& said) {
  for (const char* key : {"username", "nonce", "cnonce", "nc", "digest-uri", "response"}) {
    if (!said.contains(key)) return std::string("the answer has no ") + key;
  }
  const auto value = [&said](const char* key, const char* otherwise) {
    const auto found = said.find(key);
    return found == said.end() ? std::string(otherwise) : found->second;
  };
  if (said.at("nonce") != nonce) return "the answer is to another challenge";
  if (said.at("nc") != "00000001") return "the nonce was used before";
  if (value("qop", "auth") != "auth") return "connections are neither signed nor sealed: use qop=auth";
  if (value("realm", "") != service.realm) return "the answer is for another realm";
  if (said.at("digest-uri") != service.digest_uri) return "the answer is for another service";
  if (value("authzid", said.at("username").c_str()) != said.at("username"))
    return "nobody may act for somebody else";
  return {};
}

}  // namespace

Md5Digest sasl_secret(const SaslService& service, std::string_view user, std::string_view password) {
  return md5(latin1(user) + ":" + std::string(service.realm) + ":" + latin1(password));
}

std::string sasl_challenge(const SaslService& service, std::string_view nonce) {
  std::string text = "realm=\"";
  text.append(service.realm).append("\",nonce=\"").append(nonce);
  return text + "\",qop=\"auth\",charset=utf-8,algorithm=md5-sess";
}

Result<SaslProof> check_sasl(const SaslService& service, std::string_view nonce, std::string_view token,
                             const SaslUsers& users) {
  if (token.size() > kSaslTokenBytesMax) return refused("the answer is too long");
  const auto said = DirectiveReader(token).read();
  if (!said) return refused("the answer cannot be read");
  if (std::string problem = problem_of(service, nonce, *said); !problem.empty())
    return refused(std::move(problem));
  const std::string& user = said->at("username");
  const auto known = users.find(user);
  // Who is not known takes as long as who does not know the password.
  const Md5Digest secret = known == users.end() ? Md5Digest{} : known->second;
  const std::string& uri = said->at("digest-uri");
  const bool proved = same(response_of(secret, *said, "AUTHENTICATE:" + uri), said->at("response"));
  if (known == users.end() || !proved) return refused("the user is not known, or the password is another");
  return SaslProof{user, "rspauth=" + response_of(secret, *said, ":" + uri)};
}

}  // namespace quorate::server
