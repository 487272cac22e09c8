#include "tests/sim/zookeeper_client.h"

#include <utility>

#include "tests/sim/describe.h"
#include "tests/sim/tree_clients.h"

namespace quorate::sim {

namespace zk = zookeeper;
using std::chrono::milliseconds;

ZookeeperClient::ZookeeperClient(Context& context, Connections& connections, uint32_t number,
                                 uint32_t servers, Histories&)
    : ZookeeperSession(context, connections, number, servers, kTreeParent),
      own_("/z" + std::to_string(number)) {}

void ZookeeperClient::on_ready(bool fresh) {
  if (fresh) ask(zk::AddWatch{kTreeParent, 1});
}

void ZookeeperClient::on_unanswered(const zk::RequestBody& body) {
  const auto* set = std::get_if<zk::SetData>(&body);
  const auto* create = std::get_if<zk::Create>(&body);
  if (set != nullptr && set->path == own_) ++version_max_;
  if (create != nullptr && create->path == own_) maybe_created_ = true;
}

// ---- requests

void ZookeeperClient::act() {
  const uint64_t dice = random_.below(200);
  if (dice == 0) return disconnect("it moves on");
  if (dice == 1 && asked() == 0) return ask(zk::CloseSession{});
  // Often several at once, so that reads stand behind writes that are still under way.
  for (uint64_t several = dice < 100 ? 1 : 1 + random_.below(6); several > 0; --several) {
    if (asked() >= kOutstandingMax) return;
    one();
  }
}

std::string ZookeeperClient::key() {
  return key_path(static_cast<uint32_t>(random_.below(context_.plan.keys)));
}

void ZookeeperClient::one() {
  const uint64_t dice = random_.below(100);
  if (dice < 30) return set_own();
  if (dice < 50) return ask(zk::GetData{own_, false});
  if (dice < 70) return ask(zk::GetData{key(), random_.chance(0.5)});
  if (dice < 80) return ask(zk::Exists{key(), random_.chance(0.7)});
  if (dice < 88) return ask(zk::GetChildren{kTreeParent, false, true});
  ask(zk::Sync{own_});
}

// Made by whichever is the first to find that it is not there.
void ZookeeperClient::set_own() {
  std::string value = name() + "." + std::to_string(next_value_++);
  if (version_max_ < 0)
    return ask(zk::Create{zk::OpCode::kCreate2, own_, std::move(value), kOpenToAll, 0, 0});
  ask(zk::SetData{own_, std::move(value), -1});
}

// ---- answers

void ZookeeperClient::own_is(int32_t version) {
  if (version < version_min_ || version > version_max_) {
    violate("version " + std::to_string(version) + " of " + own_ + " can only be " +
            std::to_string(version_min_) + " to " + std::to_string(version_max_));
  }
  version_min_ = version_max_ = version;
}

void ZookeeperClient::on_answer(const zk::RequestBody& body, const zk::Reply& reply) {
  const bool ok = reply.error == zk::ErrorCode::kOk;
  if (const auto* set = std::get_if<zk::SetData>(&body)) {
    ++context_.statistics.writes_checked;
    ++context_.statistics.zookeeper_writes;
    if (!ok) return check_read(set->path, false, reply, nullptr, "");
    const kv::Stat stat = stat_of(std::get<zk::StatReply>(reply.body).stat);
    check_read(set->path, true, reply, &stat, set->data);
    if (set->path != own_) return;
    ++version_min_;
    ++version_max_;
    return own_is(stat.version);
  }
  if (const auto* create = std::get_if<zk::Create>(&body)) {
    ++context_.statistics.writes_checked;
    ++context_.statistics.zookeeper_writes;
    if (!ok && reply.error != zk::ErrorCode::kNodeExists) violate("may not make its own node");
    if (!ok) {
      if (!maybe_created_) violate("finds its own node, which it has not made");
      version_min_ = version_max_ = 0;
      return;
    }
    const kv::Stat stat = stat_of(*std::get<zk::CreateReply>(reply.body).stat);
    check_read(create->path, true, reply, &stat, create->data);
    maybe_created_ = true;
    version_min_ = version_max_ = 0;
    return;
  }
  const auto* get = std::get_if<zk::GetData>(&body);
  const auto* exists = std::get_if<zk::Exists>(&body);
  if (get != nullptr || exists != nullptr) {
    ++context_.statistics.reads_checked;
    ++context_.statistics.zookeeper_reads;
    const std::string& path = get != nullptr ? get->path : exists->path;
    if (!ok && reply.error != zk::ErrorCode::kNoNode) violate("a read of " + path + " is refused");
    kv::Stat stat;
    if (ok && get != nullptr) stat = stat_of(std::get<zk::DataReply>(reply.body).stat);
    if (ok && get == nullptr) stat = stat_of(std::get<zk::StatReply>(reply.body).stat);
    const std::string data = ok && get != nullptr ? std::get<zk::DataReply>(reply.body).data : "";
    check_read(path, get != nullptr, reply, ok ? &stat : nullptr, data);
    if (path == own_) {
      if (ok && version_max_ >= 0) own_is(stat.version);
      return;
    }
    const bool watch = get != nullptr ? get->watch && ok : exists->watch;
    if (const Verdict wrong = watches_.read(path, {zxid_of(reply.zxid), ok, stat.czxid, stat.mzxid}, watch))
      violate(*wrong);
    return;
  }
  if (const auto* list = std::get_if<zk::GetChildren>(&body)) {
    ++context_.statistics.reads_checked;
    ++context_.statistics.zookeeper_reads;
    check_list(list->path, reply);
  }
}

}  // namespace quorate::sim
