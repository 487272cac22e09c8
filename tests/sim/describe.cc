#include "tests/sim/describe.h"

#include <sstream>

#include "proto/zookeeper_codec.h"

namespace quorate::sim {
namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::string_view text(const kv::Operation& operation, std::string_view& path) {
  return std::visit(
      Overloaded{[&](const kv::CreateOp& op) -> std::string_view {
                   path = op.path;
                   return op.sequential ? "create sequential" : "create";
                 },
                 [&](const kv::SetOp& op) -> std::string_view {
                   path = op.path;
                   return "set";
                 },
                 [&](const kv::DeleteOp& op) -> std::string_view {
                   path = op.path;
                   return "delete";
                 },
                 [&](const kv::AcquireOp& op) -> std::string_view {
                   path = op.path;
                   return "acquire";
                 },
                 [&](const kv::ReleaseOp& op) -> std::string_view {
                   path = op.node;
                   return "release";
                 },
                 [&](const kv::AcquireManyOp&) -> std::string_view { return "acquire several"; },
                 [&](const kv::UpgradeOp& op) -> std::string_view {
                   path = op.node;
                   return "upgrade";
                 },
                 [&](const kv::DowngradeOp& op) -> std::string_view {
                   path = op.node;
                   return "downgrade";
                 },
                 [&](const kv::BreakOp& op) -> std::string_view {
                   path = op.path;
                   return "break";
                 },
                 [&](const kv::SetAclOp& op) -> std::string_view {
                   path = op.path;
                   return "set permissions of";
                 },
                 [&](const kv::MultiOp&) -> std::string_view { return "multi"; },
                 [&](const kv::SetQuotaOp& op) -> std::string_view {
                   path = op.path;
                   return "set the quota of";
                 },
                 [&](const kv::AddCredentialOp&) -> std::string_view { return "add a credential"; },
                 [&](const kv::CloseSessionOp&) -> std::string_view { return "close the session"; }},
      operation);
}

void say(std::ostream& out, const raft::Message& m) {
  out << "term " << m.term << ", ";
  if (!m.counts) out << "not to be counted, ";
  if (m.declines) out << "not to be handed leadership, ";
  std::visit(
      Overloaded{
          [&](const raft::VoteRequest& b) {
            out << (b.pre ? "would you vote for me" : "vote for me")
                << (b.transfer ? " as I was told to stand" : "") << ", my log ends at " << b.last_index << "^"
                << b.last_term;
          },
          [&](const raft::VoteResponse& b) {
            out << (b.granted ? "yes" : "no") << (b.pre ? ", I would" : "")
                << (b.granted ? "" : " vote refused");
          },
          [&](const raft::AppendRequest& b) {
            out << b.entries.size() << " entries behind " << b.prev_index << "^" << b.prev_term << ", commit "
                << b.commit << ", round " << b.round;
          },
          [&](const raft::AppendResponse& b) {
            if (b.success) {
              out << "durable up to " << b.match << ", round " << b.round;
            } else {
              out << "no match behind " << b.rejected_prev << ", try " << b.hint_index << "^" << b.hint_term;
            }
          },
          [&](const raft::Heartbeat& b) { out << "heartbeat, commit " << b.commit << ", round " << b.round; },
          [&](const raft::HeartbeatResponse& b) { out << "heard, round " << b.round; },
          [&](const raft::SnapshotRequest& b) {
            out << "my log begins behind " << b.last_index << "^" << b.last_term;
          },
          [&](const raft::SnapshotResponse& b) { out << "has all up to " << b.last_index; },
          [&](const raft::TimeoutNow&) { out << "stand now"; }},
      m.body);
}

}  // namespace

std::string describe(const server::PeerBody& body) {
  std::ostringstream out;
  std::visit(
      Overloaded{
          [&](const raft::Message& m) { say(out, m); },
          [&](const server::Probe& b) { out << "who are you? I am life " << b.incarnation; },
          [&](const server::ProbeReply& b) { out << "empty too, I am life " << b.incarnation; },
          [&](const server::Founding& b) {
            out << "the cluster exists, its first entry has " << b.entry.size() << " bytes";
          },
          [&](const server::Forward& b) { out << "propose " << b.commands.size() << " commands for me"; },
          [&](const server::ForwardRefused& b) {
            out << b.items.size() << " commands refused: " << error_name(b.code);
          },
          [&](const server::Barrier& b) {
            out << "barrier " << b.counter << " in term " << b.term << ", " << b.alive.size()
                << " sessions alive";
          },
          [&](const server::BarrierReply& b) {
            out << "barrier " << b.counter << " of term " << b.term << " is index " << b.index << ", "
                << b.gone.size() << " sessions gone";
          },
          [&](const server::SnapshotFetch& b) {
            out << "send me snapshot " << b.snapshot << " behind a key of " << b.after.size() << " bytes";
          },
          [&](const server::SnapshotChunk& b) {
            out << "snapshot " << b.snapshot << ", " << b.records.size() << " bytes"
                << (b.complete ? ", the last" : "");
            if (!b.error.ok()) out << ": " << error_name(b.error.code);
          },
          [&](const server::StateHash& b) { out << "my state at " << b.index << " has hash " << b.hash; }},
      body);
  return out.str();
}

std::string describe(const kv::Operation& operation) {
  std::string_view path;
  const std::string_view what = text(operation, path);
  std::string out(what);
  if (!path.empty()) out.append(" ").append(path);
  return out;
}

std::string describe(const kv::Outcome& outcome) {
  std::ostringstream out;
  out << error_name(outcome.code) << " at zxid " << outcome.zxid;
  if (!outcome.path.empty()) out << " " << outcome.path;
  if (outcome.token.value() != 0) out << " token " << outcome.token << (outcome.held ? " held" : " waiting");
  if (outcome.session.value() != 0) out << " session " << outcome.session << " epoch " << outcome.epoch;
  return out.str();
}

std::string describe(const server::RequestBody& body) {
  std::ostringstream out;
  std::visit(
      Overloaded{
          [&](const server::OpenSessionRequest& b) { out << "open a session of " << b.timeout_ms << " ms"; },
          [&](const server::AttachSessionRequest& b) { out << "attach to session " << b.session; },
          [&](const server::PingRequest&) { out << "ping"; },
          [&](const server::WriteRequest& b) {
            out << "write " << b.number << " (done below " << b.acked_below << "): " << describe(b.operation);
          },
          [&](const server::GetRequest& b) {
            out << "get " << b.path;
            if (b.watch != 0) out << " with watch " << b.watch;
          },
          [&](const server::ChildrenRequest& b) { out << "children of " << b.path; },
          [&](const server::ResumeWatchRequest& b) {
            out << "watch " << b.watch << " again on " << b.path << " seen at " << b.seen;
          },
          [&](const server::WatchSinceRequest& b) {
            out << "watch " << b.watch << " of all changes at " << b.root << " since " << b.since;
          },
          [&](const server::ChildrenPageRequest& b) { out << "a page of the children of " << b.path; },
          [&](const server::MultiReadRequest& b) { out << b.parts.size() << " reads at once"; },
          [&](const server::RemoveWatchRequest& b) { out << "remove watch " << b.watch; },
          [&](const server::LockPlaceRequest& b) { out << "what place has " << b.node; },
          [&](const server::LockVerifyRequest& b) { out << "is " << b.path << " held with " << b.token; },
          [&](const server::LockShowRequest& b) { out << "who holds " << b.path; },
          [&](const server::LockListRequest& b) { out << "locks under " << b.root; },
          [&](const server::SessionListRequest& b) { out << "sessions behind " << b.after; },
          [&](const server::HotPathsRequest& b) { out << "hot paths, at most " << b.max; },
          [&](const server::EndSessionRequest& b) { out << "end session " << b.session; },
          [&](const server::StatusRequest&) { out << "status"; },
          [&](const server::GetAclRequest& b) { out << "permissions of " << b.path; },
          [&](const server::QuotaRequest& b) { out << "quota of " << b.path; },
          [&](const server::AddCredentialRequest&) { out << "take this credential"; },
          [&](const server::SnapshotPartRequest& b) { out << "a part of snapshot " << b.snapshot; },
          [&](const server::SyncRequest&) { out << "sync"; },
          [&](const server::TransferRequest& b) { out << "hand leadership to " << b.target; }},
      body);
  return out.str();
}

std::string describe(const decltype(server::ZookeeperRequest::body)& body) {
  if (const auto* connect = std::get_if<server::ZookeeperConnect>(&body))
    return "ZooKeeper session " + std::to_string(connect->request.session) + " from zxid " +
           std::to_string(connect->request.last_zxid_seen);
  const auto& request = std::get<zookeeper::Request>(body);
  std::string text = "ZooKeeper request " + std::to_string(request.xid) + " of kind " +
                     std::to_string(static_cast<int32_t>(zookeeper::op_of(request.body)));
  std::visit(
      [&text](const auto& asked) {
        if constexpr (requires { asked.path; }) text += " on " + asked.path;
      },
      request.body);
  return text;
}

std::string describe(const server::ClientMessage& message) {
  std::ostringstream out;
  std::visit(
      Overloaded{
          [&](const server::ClientReply& r) {
            out << "answer to " << r.id << ": " << error_name(r.error.code) << " at zxid " << r.zxid;
            if (const auto* outcome = std::get_if<kv::Outcome>(&r.body)) out << ", " << describe(*outcome);
            if (const auto* node = std::get_if<server::NodeReply>(&r.body)) {
              out << ", '" << node->data << "' of " << node->stat.mzxid;
            }
            if (const auto* place = std::get_if<lock::Place>(&r.body)) {
              out << (place->held ? ", held, token " : ", waits, token ") << place->token;
            }
          },
          [&](const kv::WatchEvent& e) {
            out << "watch " << e.watch << " on " << e.path << " fires at " << e.zxid;
          },
          [&](const kv::FeedBatch& e) {
            out << "watch " << e.watch << " tells " << e.changes.size() << " changes of " << e.zxid;
          },
          [&](const zookeeper::ConnectReply& r) { out << "ZooKeeper session " << r.session; },
          [&](const zookeeper::Reply& r) {
            out << "ZooKeeper answer to " << r.xid << ": " << static_cast<int32_t>(r.error) << " at zxid "
                << r.zxid;
          },
          [&](const server::ProgressEvent& e) { out << "all watches are complete up to " << e.zxid; },
          [&](const server::GrantEvent& e) { out << e.grant.node << " holds, token " << e.grant.token; },
          [&](const server::LossEvent& e) { out << e.loss.node << " was taken away"; },
          [&](const server::SessionEndEvent& e) {
            out << "session " << e.session << " is over: " << error_name(e.code);
          }},
      message.body);
  return out.str();
}

}  // namespace quorate::sim
