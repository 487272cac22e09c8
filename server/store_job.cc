#include "server/store_job.h"

#include "base/codec.h"

namespace quorate::server {
namespace {
constexpr uint8_t kStateNameVersion = 1;
}  // namespace

std::string encode_state_name(const StateName& name) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kStateNameVersion);
  out.u64(name.cluster.value());
  out.varint(name.index.value());
  out.varint(name.term.value());
  out.u64(name.state_hash);
  out.string(name.configuration.view());
  return bytes;
}

Result<StateName> decode_state_name(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  if (version > kStateNameVersion) {
    return {ErrorCode::kUnsupported, "the state was written by a newer version of the server; use that one"};
  }
  if (version == 0) in.fail();
  StateName name;
  name.cluster = ClusterId(in.u64());
  name.index = Index(in.varint());
  name.term = Term(in.varint());
  name.state_hash = in.u64();
  name.configuration = Bytes(std::string(in.string()));
  if (!in.done()) return {ErrorCode::kMalformed, "the bytes do not name a state"};
  return name;
}

}  // namespace quorate::server
