#include "tests/zookeeper/differential/answers.h"

#include <cstdio>

#include "proto/zookeeper_codec.h"
#include "tests/zookeeper/differential/compare.h"

namespace quorate::differential {

using namespace zookeeper;

namespace {

constexpr size_t kAskedKept = 16;

// What every history of a few thousand operations has drawn: each operation as it is done, and refused in
// each way that clients rely on.
using enum zookeeper::ErrorCode;
constexpr std::pair<const char*, zookeeper::ErrorCode> kAlwaysDrawn[] = {
    {"addWatch", kOk},
    {"auth", kOk},
    {"auth", kAuthFailed},
    {"check in a multi", kOk},
    {"check in a multi", kBadVersion},
    {"check in a multi", kNoNode},
    {"check in a multi, taken back", kOk},
    {"checkWatches", kOk},
    {"checkWatches", kNoWatcher},
    {"closeSession", kOk},
    {"connect, session closed", kSessionExpired},
    {"connect, wrong password", kSessionExpired},
    {"create", kOk},
    {"create", kNoNode},
    {"create", kNoAuth},
    {"create", kNoChildrenForEphemerals},
    {"create", kNodeExists},
    {"create", kInvalidAcl},
    {"create", kQuotaExceeded},
    {"create in a multi", kOk},
    {"create in a multi, taken back", kOk},
    {"create2", kOk},
    {"create2", kNodeExists},
    {"create2", kQuotaExceeded},
    {"create2 in a multi", kOk},
    {"createContainer", kOk},
    {"createTTL", kOk},
    {"delete", kOk},
    {"delete", kNoNode},
    {"delete", kNoAuth},
    {"delete", kBadVersion},
    {"delete", kNotEmpty},
    {"exists", kOk},
    {"exists", kNoNode},
    {"getACL", kOk},
    {"getAllChildrenNumber", kOk},
    {"getChildren", kOk},
    {"getChildren in a multiRead", kOk},
    {"getChildren2", kOk},
    {"getData", kOk},
    {"getData", kNoNode},
    {"getData", kNoAuth},
    {"getData in a multiRead", kOk},
    {"getEphemerals", kOk},
    {"multi", kOk},
    {"multiRead", kOk},
    {"ping", kOk},
    {"reconfig", kReconfigDisabled},
    {"removeWatches", kOk},
    {"removeWatches", kNoWatcher},
    {"setACL", kOk},
    {"setACL", kNoAuth},
    {"setACL", kBadVersion},
    {"setACL", kInvalidAcl},
    {"setData", kOk},
    {"setData", kNoNode},
    {"setData", kNoAuth},
    {"setData", kBadVersion},
    {"setData in a multi", kOk},
    {"setWatches", kOk},
    {"setWatches2", kOk},
    {"sync", kOk},
    {"whoAmI", kOk},
};

std::string name_of_part(const RequestBody& body, size_t part) {
  const auto name = [](const auto& each) { return std::string(name_of(op_of(RequestBody(each)))); };
  if (const auto* multi = std::get_if<Multi>(&body))
    return std::visit(name, multi->parts.at(part)) + " in a multi";
  return std::visit(name, std::get<MultiRead>(body).parts.at(part)) + " in a multiRead";
}

}  // namespace

Answers::Answers() {
  for (const auto& [what, code] : kAlwaysDrawn) answers_[{what, static_cast<int32_t>(code)}];
}

void Answers::add(const std::string& what, zookeeper::ErrorCode code, const Asked* asked) {
  Answer& answer = answers_[{what, static_cast<int32_t>(code)}];
  if (asked != nullptr) {
    if (answer.asked.size() < kAskedKept) {
      answer.asked.push_back(*asked);
    } else {
      answer.asked[answer.count % kAskedKept] = *asked;
    }
  }
  ++answer.count;
}

void Answers::add(const Asked& asked, const Reply& reply) {
  add(name_of(op_of(asked.body)), reply.error, &asked);
  const auto* multi = std::get_if<MultiReply>(&reply.body);
  if (multi == nullptr) return;
  for (size_t i = 0; i < multi->results.size(); ++i) {
    const MultiResult& result = multi->results[i];
    // What is taken back has the code of success, too.
    const bool taken_back = result.op == OpCode::kError && result.error == zookeeper::ErrorCode::kOk;
    add(name_of_part(asked.body, i) + (taken_back ? ", taken back" : ""), result.error, &asked);
  }
}

std::optional<Answers::Asked> Answers::of_a_rare_one(Random& random, size_t often) const {
  size_t missing = 0;
  for (const auto& [what, answer] : answers_)
    if (answer.count < often && !answer.asked.empty()) missing += often - answer.count;
  if (missing == 0) return std::nullopt;
  size_t drawn = random.below(missing);
  for (const auto& [what, answer] : answers_) {
    if (answer.count >= often || answer.asked.empty()) continue;
    if (drawn < often - answer.count) return answer.asked[random.below(answer.asked.size())];
    drawn -= often - answer.count;
  }
  return std::nullopt;
}

size_t Answers::rare(size_t often) const {
  size_t rare = 0;
  for (const auto& [what, answer] : answers_) rare += answer.count < often ? 1 : 0;
  return rare;
}

void Answers::print() const {
  std::printf("%-32s %6s %9s\n", "operation", "code", "answers");
  for (const auto& [what, answer] : answers_)
    std::printf("%-32s %6d %9zu\n", what.first.c_str(), what.second, answer.count);
}

}  // namespace quorate::differential
