// The small texts: ZooKeeper's limits and the mode of a place in a queue, which stand in nodes of whatever
// client; a server's files of settings and of users.
#include <optional>

#include "base/check.h"
#include "kv/place_mode.h"
#include "server/replica_zookeeper_quotas.h"
#include "server/shell/config_file.h"
#include "server/shell/sasl_users.h"
#include "server/shell/zoo_cfg.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

enum class Text : uint8_t { kLimits, kPlace, kZooCfg, kConfig, kSaslUsers, kCount };

void read_limits(std::string_view text) {
  const auto limits = server::parse_limits(text);
  if (!limits) return;
  for (const int64_t each : {limits->count_soft, limits->count_hard, limits->bytes_soft, limits->bytes_hard})
    CHECK(each >= -1);
  const auto again = server::parse_limits(server::limits_text(*limits));
  CHECK(again && *again == *limits);
}

void read_place(std::string_view data) {
  const kv::PlaceData place = kv::read_place(data);
  CHECK(data.ends_with(place.name));
  if (!place.marked) {
    CHECK(place.mode == kv::PlaceMode() && place.name == data);
    return;
  }
  // One form each.
  CHECK(kv::write_place(place.mode, place.name) == data);
  CHECK((place.mode.mode == kv::Mode::kPermit) == (place.mode.permits > 0));
  CHECK(place.mode.permits <= kv::kPermitsMax && place.mode.delay_ms <= kv::kLockDelayMsMax);
}

template <class Read>
void check_settings(const Read& read) {
  if (!read.ok()) {
    CHECK(read.code() == ErrorCode::kBadConfiguration);
    CHECK(!read.error().message.empty());
  }
}

// The text of myid behind a NUL, if there is one.
void read_zoo_cfg(std::string_view text) {
  const size_t end = text.find('\0');
  std::optional<std::string> myid;
  if (end != std::string_view::npos) myid = text.substr(end + 1);
  check_settings(server::parse_zoo_cfg(std::string(text.substr(0, end)), myid));
}

void run(std::string_view bytes) {
  Choices choices(bytes);
  switch (static_cast<Text>(choices.below(static_cast<uint64_t>(Text::kCount)))) {
    case Text::kLimits:
      return read_limits(choices.rest());
    case Text::kPlace:
      return read_place(choices.rest());
    case Text::kZooCfg:
      return read_zoo_cfg(choices.rest());
    case Text::kConfig:
      return check_settings(server::parse_config_file(choices.rest(), "quorated.toml"));
    case Text::kSaslUsers:
      return check_settings(server::parse_sasl_users(choices.rest()));
    case Text::kCount:
      break;
  }
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  const std::vector<std::vector<std::string>> texts = {
      {"count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1", "count=1,bytes=2",
       "=;,count=9223372036854775807"},
      {"quorate:shared:me", "quorate:permit/10000;delay=3600000;gone:x", "quorate:exclusive;delay=5:", "me"},
      {"tickTime=2000\ndataDir=/var/lib/zookeeper\nclientPort=2181\nserver.1=zk1:2888:3888\n"
       "server.2=[::1]:2888:3888:observer;127.0.0.1:2181\n\0"
       "2\n"s,
       "# a\ndataDir = /d\nclientPort=1\nminSessionTimeout=-1\n4lw.commands.whitelist=ruok, stat\nfoo=bar\n",
       "server.1=\nserver.x=a:b"},
      {"id = 1\ndata = \"/var/lib/quorate\"\ncluster = '1=a:1,2=b:2'\n", "a = [1, 2]", "a = 1979-05-27",
       "[t]\nb.c = 1", "a = 9 \"\xca\xb1\"",
       "[1\xca\xb1"
       "2"},
      {"anna:secret\n# x\n\nb:a:c\r\n", "a", "a:b\na:c", "\xff:x"},
  };
  std::vector<std::string> seeds;
  for (size_t kind = 0; kind < texts.size(); ++kind) {
    for (const std::string& text : texts[kind]) seeds.push_back(static_cast<char>(kind) + text);
  }
  return seeds;
}

const Target kTarget("texts", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
