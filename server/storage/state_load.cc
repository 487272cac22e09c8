#include "server/storage/state_load.h"

#include <memory>
#include <utility>

#include "base/codec.h"

namespace quorate::server {

namespace {

constexpr size_t kPartBytes = 1 << 20;  // read from the store at a time

Error damaged(const std::string& what) { return {ErrorCode::kCorruption, what}; }

Result<StateName> decode(std::string_view value) {
  auto name = decode_state_name(value);
  if (name.code() == ErrorCode::kMalformed) return damaged("the name of the state does not parse");
  return name;
}

}  // namespace

Status split_records(std::string_view records, const TakeRecord& take) {
  ByteReader in(records);
  while (in.remaining() > 0) {
    const std::string_view key = in.string();
    const std::string_view value = in.string();
    if (in.failed()) break;
    if (Status taken = take(key, value); !taken.ok()) return taken;
  }
  if (!in.done()) return damaged("the bytes are not records");
  return {};
}

Result<std::optional<StateName>> read_state_name(StateSnapshot& snapshot) {
  std::string record, key;
  const Result<bool> read = snapshot.read("", 1, record, key);
  if (!read.ok()) return read.error();
  if (record.empty()) return std::optional<StateName>();
  if (key != kStateNameKey) return damaged("it has records and no name");
  std::optional<StateName> name;
  const Status split = split_records(record, [&name](std::string_view, std::string_view value) -> Status {
    auto decoded = decode(value);
    if (!decoded.ok()) return decoded.error();
    name = std::move(*decoded);
    return {};
  });
  if (!split.ok()) return split.error();
  return name;
}

Result<std::optional<ReceivedState>> load_state(StateStore& store, const kv::Limits& limits) {
  auto snapshot = store.snapshot();
  if (!snapshot.ok()) return snapshot.error();
  auto name = read_state_name(**snapshot);
  if (!name.ok()) return name.error();
  if (!*name) return std::optional<ReceivedState>();
  kv::StateLoader loader(limits);
  std::string part, last_key = kStateNameKey;
  for (bool more = true; more;) {
    part.clear();
    const Result<bool> read = (*snapshot)->read(last_key, kPartBytes, part, last_key);
    if (!read.ok()) return read.error();
    more = *read;
    const Status added = split_records(
        part, [&loader](std::string_view key, std::string_view value) { return loader.add(key, value); });
    if (!added.ok()) return added.error();
  }
  auto state = loader.finish();
  if (!state.ok()) return state.error();
  if (state->applied() != (*name)->index || state->state_hash() != (*name)->state_hash) {
    return damaged("its records are not those of the state that it names, at index " +
                   std::to_string((*name)->index.value()));
  }
  return std::optional(
      ReceivedState{std::move(**name), std::make_shared<kv::StateMachine>(std::move(*state))});
}

}  // namespace quorate::server
