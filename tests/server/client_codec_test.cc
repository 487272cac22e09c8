#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "tests/server/client_codec_fixture.h"

namespace quorate::server {
namespace {

template <class Operation>
Operation operation_of(const api::ClientFrame& frame) {
  const auto write = request_of<WriteRequest>(frame);
  EXPECT_EQ(write.number, frame.write().number());
  EXPECT_EQ(write.acked_below, frame.write().acked_below());
  return std::get<Operation>(write.operation);
}

api::ClientFrame write_frame() {
  api::ClientFrame frame;
  frame.set_id(3);
  frame.mutable_write()->set_number(11);
  frame.mutable_write()->set_acked_below(10);
  return frame;
}

const std::string kPassword = "0123456789abcdef";

TEST(ClientCodec, Sessions) {
  api::ClientFrame frame;
  frame.mutable_open_session()->set_timeout_ms(4000);
  frame.mutable_open_session()->set_password(kPassword);
  const auto open = request_of<OpenSessionRequest>(frame);
  EXPECT_EQ(open.timeout_ms, 4000u);
  EXPECT_EQ(open.password[1], '1');
  frame.mutable_attach_session()->set_session(77);
  frame.mutable_attach_session()->set_password(kPassword);
  const auto attach = request_of<AttachSessionRequest>(frame);
  EXPECT_EQ(attach.session, SessionId(77));
  EXPECT_EQ(attach.password[15], 'f');
  frame.mutable_ping();
  request_of<PingRequest>(frame);
}

TEST(ClientCodec, Writes) {
  api::ClientFrame frame = write_frame();
  auto& create = *frame.mutable_write()->mutable_create();
  create.set_path("/p");
  create.set_data("d");
  create.set_ephemeral(true);
  create.set_parents(true);
  const auto made = operation_of<kv::CreateOp>(frame);
  EXPECT_EQ(made.path, "/p");
  EXPECT_EQ(made.data, "d");
  EXPECT_TRUE(made.ephemeral && made.parents && !made.sequential);
  frame.mutable_write()->mutable_set()->set_version(-1);
  frame.mutable_write()->mutable_set()->set_path("/s");
  EXPECT_EQ(operation_of<kv::SetOp>(frame).version, -1);
  EXPECT_EQ(operation_of<kv::SetOp>(frame).path, "/s");
  frame.mutable_write()->mutable_delete_()->set_version(4);
  EXPECT_EQ(operation_of<kv::DeleteOp>(frame).version, 4);
  frame.mutable_write()->mutable_acquire()->set_data("me");
  EXPECT_EQ(operation_of<kv::AcquireOp>(frame).data, "me");
  frame.mutable_write()->mutable_release()->set_node("/l/lock-1");
  EXPECT_EQ(operation_of<kv::ReleaseOp>(frame).node, "/l/lock-1");
  frame.mutable_write()->mutable_close_session();
  operation_of<kv::CloseSessionOp>(frame);
}

TEST(ClientCodec, LocksOfAllKinds) {
  api::ClientFrame frame;
  api::Acquire* acquire = frame.mutable_write()->mutable_acquire();
  acquire->set_path("/l");
  EXPECT_EQ(operation_of<kv::AcquireOp>(frame).mode, kv::PlaceMode());
  acquire = frame.mutable_write()->mutable_acquire();
  acquire->set_mode(2);
  acquire->set_permits(3);
  acquire->set_delay_ms(50);
  EXPECT_EQ(operation_of<kv::AcquireOp>(frame).mode, (kv::PlaceMode{kv::Mode::kPermit, 3, 50}));
  frame.mutable_write()->mutable_acquire()->set_mode(3);
  EXPECT_EQ(decoded(frame).code(), ErrorCode::kInvalidArgument);
  api::AcquireMany* many = frame.mutable_write()->mutable_acquire_many();
  many->set_wait(true);
  many->add_locks()->set_path("/a");
  many->add_locks()->set_path("/b");
  many->mutable_locks(1)->set_mode(1);
  const auto several = operation_of<kv::AcquireManyOp>(frame);
  EXPECT_TRUE(several.wait);
  ASSERT_EQ(several.locks.size(), 2u);
  EXPECT_EQ(several.locks[0].path, "/a");
  EXPECT_EQ(several.locks[1].mode.mode, kv::Mode::kShared);
  for (size_t i = 0; i <= kv::kLocksAtOnceMax; ++i)
    frame.mutable_write()->mutable_acquire_many()->add_locks();
  EXPECT_EQ(decoded(frame).code(), ErrorCode::kInvalidArgument);
  frame.mutable_write()->mutable_upgrade()->set_node("/l/lock-1");
  EXPECT_EQ(operation_of<kv::UpgradeOp>(frame).node, "/l/lock-1");
  frame.mutable_write()->mutable_downgrade()->set_node("/l/lock-1");
  EXPECT_EQ(operation_of<kv::DowngradeOp>(frame).node, "/l/lock-1");
  frame.mutable_write()->mutable_break_()->set_path("/l");
  frame.mutable_write()->mutable_break_()->set_token(7);
  EXPECT_EQ(operation_of<kv::BreakOp>(frame).path, "/l");
  EXPECT_EQ(operation_of<kv::BreakOp>(frame).token, Token(7));
}

TEST(ClientCodec, ReadsAndTheRest) {
  api::ClientFrame frame;
  frame.mutable_get()->set_path("/g");
  frame.mutable_get()->set_watch(8);
  const auto get = request_of<GetRequest>(frame);
  EXPECT_EQ(get.path, "/g");
  EXPECT_FALSE(get.with_data);
  EXPECT_EQ(get.watch, 8u);
  frame.mutable_children()->set_path("/c");
  EXPECT_EQ(request_of<ChildrenRequest>(frame).path, "/c");
  auto& resume = *frame.mutable_resume_watch();
  resume.set_watch(6);
  resume.set_kind(2);
  resume.set_path("/r");
  resume.set_seen(55);
  resume.set_existed(true);
  const auto resumed = request_of<ResumeWatchRequest>(frame);
  EXPECT_EQ(resumed.watch, 6u);
  EXPECT_EQ(resumed.kind, kv::WatchKind::kChildren);
  EXPECT_EQ(resumed.path, "/r");
  EXPECT_EQ(resumed.seen, Zxid(55));
  EXPECT_TRUE(resumed.existed);
  frame.mutable_remove_watch()->set_watch(3);
  EXPECT_EQ(request_of<RemoveWatchRequest>(frame).watch, 3u);
  frame.mutable_lock_place()->set_node("/n");
  EXPECT_EQ(request_of<LockPlaceRequest>(frame).node, "/n");
  frame.mutable_lock_verify()->set_path("/l");
  frame.mutable_lock_verify()->set_token(9);
  EXPECT_EQ(request_of<LockVerifyRequest>(frame).path, "/l");
  EXPECT_EQ(request_of<LockVerifyRequest>(frame).token, Token(9));
  frame.mutable_lock_show()->set_path("/s");
  EXPECT_EQ(request_of<LockShowRequest>(frame).path, "/s");
  frame.mutable_lock_list();
  EXPECT_EQ(request_of<LockListRequest>(frame).root, "/");
  EXPECT_EQ(request_of<LockListRequest>(frame).max, LockListRequest().max);
  frame.mutable_lock_list()->set_after("/b");
  EXPECT_EQ(request_of<LockListRequest>(frame).after, "/b");
  frame.mutable_end_session()->set_session(5);
  EXPECT_EQ(request_of<EndSessionRequest>(frame).session, SessionId(5));
  frame.mutable_session_list();
  EXPECT_EQ(request_of<SessionListRequest>(frame).max, SessionListRequest().max);
  frame.mutable_session_list()->set_after(7);
  frame.mutable_session_list()->set_max(3);
  frame.mutable_session_list()->set_paths(true);
  const auto sessions = request_of<SessionListRequest>(frame);
  EXPECT_EQ(sessions.after, SessionId(7));
  EXPECT_EQ(sessions.max, 3u);
  EXPECT_TRUE(sessions.paths);
  frame.mutable_status();
  request_of<StatusRequest>(frame);
  frame.mutable_transfer()->set_target(2);
  EXPECT_EQ(request_of<TransferRequest>(frame).target, ServerId(2));
}

TEST(ClientCodec, PartsOfSnapshots) {
  api::ClientFrame frame;
  frame.mutable_read_snapshot()->set_snapshot(77);
  frame.mutable_read_snapshot()->set_after(std::string("n/a\0b", 5));
  const auto asked = request_of<SnapshotPartRequest>(frame);
  EXPECT_EQ(asked.snapshot, 77u);
  EXPECT_EQ(asked.after, std::string("n/a\0b", 5));
  SnapshotPartReply part;
  part.snapshot = 77;
  part.name = "name";
  part.records = Bytes(std::string("records"));
  part.checksum = UINT64_MAX;
  part.last_key = "last";
  part.complete = true;
  const api::Reply reply = reply_of(part);
  EXPECT_EQ(reply.snapshot_part().snapshot(), 77u);
  EXPECT_EQ(reply.snapshot_part().name(), "name");
  EXPECT_EQ(reply.snapshot_part().records(), "records");
  EXPECT_EQ(reply.snapshot_part().checksum(), UINT64_MAX);
  EXPECT_EQ(reply.snapshot_part().last_key(), "last");
  EXPECT_TRUE(reply.snapshot_part().complete());
}

TEST(ClientCodec, CreatesWithAllTheirOptions) {
  api::ClientFrame frame = write_frame();
  api::Create* create = frame.mutable_write()->mutable_create();
  create->set_path("/a");
  create->set_container(true);
  create->set_ttl_ms(5);
  create->add_acl()->set_permissions(31);
  create->mutable_acl(0)->set_scheme("world");
  create->mutable_acl(0)->set_id("anyone");
  const auto op = operation_of<kv::CreateOp>(frame);
  EXPECT_TRUE(op.container);
  EXPECT_EQ(op.ttl_ms, 5);
  ASSERT_EQ(op.acl.size(), 1u);
  EXPECT_EQ(op.acl[0], (kv::AclEntry{31, "world", "anyone"}));
  create->clear_ttl_ms();
  EXPECT_FALSE(operation_of<kv::CreateOp>(frame).ttl_ms.has_value());
  frame = write_frame();
  frame.mutable_write()->mutable_delete_()->set_recursive(true);
  EXPECT_TRUE(operation_of<kv::DeleteOp>(frame).recursive);
  frame = write_frame();
  frame.mutable_write()->mutable_set_acl()->set_version(4);
  EXPECT_EQ(operation_of<kv::SetAclOp>(frame).version, 4);
}

TEST(ClientCodec, AMultiOfEachKind) {
  api::ClientFrame frame = write_frame();
  api::Multi& multi = *frame.mutable_write()->mutable_multi();
  multi.add_operations()->mutable_create()->set_path("/c");
  multi.add_operations()->mutable_set()->set_data("d");
  multi.add_operations()->mutable_delete_()->set_version(2);
  multi.add_operations()->mutable_set_acl()->set_path("/l");
  multi.add_operations()->mutable_check()->set_version(3);
  multi.add_operations()->mutable_check_absent()->set_path("/n");
  multi.add_operations()->mutable_check_held()->set_token(9);
  const auto op = operation_of<kv::MultiOp>(frame);
  ASSERT_EQ(op.operations.size(), 7u);
  EXPECT_EQ(std::get<kv::CreateOp>(op.operations[0]).path, "/c");
  EXPECT_EQ(std::get<kv::SetOp>(op.operations[1]).data, "d");
  EXPECT_EQ(std::get<kv::DeleteOp>(op.operations[2]).version, 2);
  EXPECT_EQ(std::get<kv::SetAclOp>(op.operations[3]).path, "/l");
  EXPECT_EQ(std::get<kv::CheckOp>(op.operations[4]).version, 3);
  EXPECT_EQ(std::get<kv::CheckAbsentOp>(op.operations[5]).path, "/n");
  EXPECT_EQ(std::get<kv::CheckHeldOp>(op.operations[6]).token, Token(9));
  multi.add_operations();
  EXPECT_EQ(decoded(frame).code(), ErrorCode::kUnsupported);
}

TEST(ClientCodec, MoreReadsAtOnceThanAreServedAreRefused) {
  api::ClientFrame frame;
  for (size_t i = 0; i < kMultiReadPartsMax; ++i)
    frame.mutable_multi_read()->add_parts()->mutable_get()->set_path("/a");
  EXPECT_EQ(request_of<MultiReadRequest>(frame).parts.size(), kMultiReadPartsMax);
  frame.mutable_multi_read()->add_parts()->mutable_get()->set_path("/a");
  EXPECT_EQ(decoded(frame).code(), ErrorCode::kTooLarge);
}

TEST(ClientCodec, FeedsPagesAndReadsAtOnce) {
  api::ClientFrame frame;
  frame.mutable_watch_since()->set_watch(7);
  frame.mutable_watch_since()->set_root("/r");
  frame.mutable_watch_since()->set_since(70);
  frame.mutable_watch_since()->set_recursive(true);
  const auto watch = request_of<WatchSinceRequest>(frame);
  EXPECT_EQ(watch.watch, 7u);
  EXPECT_EQ(watch.root, "/r");
  EXPECT_EQ(watch.since, Zxid(70));
  EXPECT_TRUE(watch.recursive);
  EXPECT_FALSE(watch.past);
  frame.mutable_watch_since()->set_past(true);
  EXPECT_TRUE(request_of<WatchSinceRequest>(frame).past);

  frame = {};
  frame.mutable_children_page()->set_path("/p");
  EXPECT_FALSE(request_of<ChildrenPageRequest>(frame).after.has_value());
  EXPECT_EQ(request_of<ChildrenPageRequest>(frame).max, 1000u);
  frame.mutable_children_page()->set_max(3);
  frame.mutable_children_page()->set_prefix("x");
  frame.mutable_children_page()->mutable_after()->set_czxid(8);
  frame.mutable_children_page()->mutable_after()->set_order(2);
  frame.mutable_children_page()->mutable_after()->set_name("n");
  const auto page = request_of<ChildrenPageRequest>(frame);
  EXPECT_EQ(page.max, 3u);
  EXPECT_EQ(page.prefix, "x");
  ASSERT_TRUE(page.after.has_value());
  EXPECT_EQ(page.after->czxid, Zxid(8));
  EXPECT_EQ(page.after->order, 2u);
  EXPECT_EQ(page.after->name, "n");

  frame = {};
  frame.mutable_multi_read()->add_parts()->mutable_get()->set_path("/g");
  frame.mutable_multi_read()->add_parts()->mutable_children()->set_path("/c");
  const auto many = request_of<MultiReadRequest>(frame);
  ASSERT_EQ(many.parts.size(), 2u);
  EXPECT_EQ(std::get<GetRequest>(many.parts[0]).path, "/g");
  EXPECT_EQ(std::get<ChildrenRequest>(many.parts[1]).path, "/c");
  frame.mutable_multi_read()->add_parts();
  EXPECT_EQ(decoded(frame).code(), ErrorCode::kUnsupported);
}

TEST(ClientCodec, AnswersOfFeedsPagesAndReadsAtOnce) {
  const std::vector<kv::StateMachine::PastChange> changes = {{kv::Change::Kind::kCreated, Zxid(4), "/a"},
                                                             {kv::Change::Kind::kDeleted, Zxid(5), "/b"},
                                                             {kv::Change::Kind::kDataSet, Zxid(5), "/c"}};
  api::Reply reply = reply_of(ChangesReply{changes, Zxid(6), true, Zxid(2)});
  ASSERT_EQ(reply.changes().changes_size(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(reply.changes().changes(i).kind(), static_cast<uint32_t>(i + 1));
  EXPECT_EQ(reply.changes().changes(1).path(), "/b");
  EXPECT_EQ(reply.changes().changes(1).zxid(), 5u);
  EXPECT_EQ(reply.changes().up_to(), 6u);
  EXPECT_TRUE(reply.changes().live());
  EXPECT_EQ(reply.changes().floor(), 2u);

  EXPECT_FALSE(reply.changes().changes(1).has_left());

  const kv::LeftPlace left{SessionId(7), Zxid(3), 1'000, 2'000, {kv::Mode::kPermit, 3, 50}, "me"};
  const auto told_left = [&left](std::string path) {
    kv::StateMachine::PastChange gone{kv::Change::Kind::kDeleted, Zxid(9), std::move(path)};
    gone.left = std::make_shared<const kv::LeftPlace>(left);
    return reply_of(ChangesReply{{gone}, Zxid(9), false, Zxid(2)}).changes().changes(0);
  };
  const api::Change gone = told_left("/l/lock-0000000001");
  EXPECT_EQ(gone.left_ms(), 2'000);
  EXPECT_EQ(gone.left().session(), 7u);
  EXPECT_EQ(gone.left().token(), 3u);
  EXPECT_EQ(gone.left().data(), "me");
  EXPECT_EQ(gone.left().since_ms(), 1'000);
  EXPECT_EQ(gone.left().mode(), 2u);
  EXPECT_EQ(gone.left().permits(), 3u);
  EXPECT_EQ(gone.left().delay_ms(), 50u);
  EXPECT_EQ(told_left("/l/x__rlock__0000000001").left().mode(), 1u) << "a reader of another recipe";

  const auto batch = encoded({kConnection, kv::FeedBatch{kConnection, 7, changes, Zxid(5)}}).feed_batch();
  EXPECT_EQ(batch.watch(), 7u);
  EXPECT_EQ(batch.changes_size(), 3);
  EXPECT_EQ(batch.zxid(), 5u);
  EXPECT_EQ(encoded({kConnection, ProgressEvent{Zxid(9)}}).progress().zxid(), 9u);

  reply = reply_of(ChildrenPageReply{{"x", "y"}, kv::ChildCursor{Zxid(3), 1, "y"}});
  EXPECT_EQ(reply.children_page().names(1), "y");
  EXPECT_EQ(reply.children_page().next().czxid(), 3u);
  EXPECT_EQ(reply.children_page().next().order(), 1u);
  EXPECT_EQ(reply.children_page().next().name(), "y");
  EXPECT_FALSE(reply_of(ChildrenPageReply{{"x"}, {}}).children_page().has_next());

  MultiReadReply many;
  many.results.push_back({{}, NodeReply{"data", {}}});
  many.results.push_back({{}, ChildrenReply{{"c"}, {}}});
  many.results.push_back({{ErrorCode::kNoNode, "there is none"}, {}});
  reply = reply_of(many);
  ASSERT_EQ(reply.multi_read().results_size(), 3);
  EXPECT_EQ(reply.multi_read().results(0).node().data(), "data");
  EXPECT_EQ(reply.multi_read().results(1).children().names(0), "c");
  EXPECT_EQ(reply.multi_read().results(2).code(), 1u);
  EXPECT_EQ(reply.multi_read().results(2).message(), "there is none");

  kv::Outcome outcome;
  outcome.code = ErrorCode::kNoNode;
  outcome.results.resize(2);
  outcome.results[0].path = "/made";
  outcome.results[1].code = ErrorCode::kNoNode;
  outcome.results[1].message = "why";
  reply = reply_of(outcome);
  EXPECT_EQ(reply.code(), 1u);
  ASSERT_EQ(reply.outcome().results_size(), 2);
  EXPECT_EQ(reply.outcome().results(0).path(), "/made");
  EXPECT_EQ(reply.outcome().results(1).message(), "why");
}

TEST(ClientCodec, APathThatIsNoUtf8ReachesTheRuleForPaths) {
  api::ClientFrame frame;
  frame.mutable_get()->set_path("/\xff");
  EXPECT_EQ(request_of<GetRequest>(frame).path, "/\xff");
}

TEST(ClientCodec, WhatIsUnknownOrWrongIsAnsweredByItsId) {
  ClientCodec codec;
  uint64_t id = 0;
  api::ClientFrame frame;
  frame.set_id(21);
  EXPECT_EQ(codec.decode(kConnection, frame.SerializeAsString(), id).code(), ErrorCode::kUnsupported);
  EXPECT_EQ(id, 21u);
  frame.mutable_write();
  EXPECT_EQ(codec.decode(kConnection, frame.SerializeAsString(), id).code(), ErrorCode::kUnsupported);
  frame.mutable_open_session()->set_password("short");
  EXPECT_EQ(codec.decode(kConnection, frame.SerializeAsString(), id).code(), ErrorCode::kInvalidArgument);
  frame.mutable_resume_watch()->set_kind(7);
  EXPECT_EQ(codec.decode(kConnection, frame.SerializeAsString(), id).code(), ErrorCode::kInvalidArgument);
}

RC_GTEST_PROP(ClientCodec, RandomBytesAreARequestOrAnError, (const std::string& bytes)) {
  ClientCodec codec;
  uint64_t id = 0;
  const auto request = codec.decode(kConnection, bytes, id);
  const bool known = request.ok() || request.code() == ErrorCode::kMalformed ||
                     request.code() == ErrorCode::kUnsupported ||
                     request.code() == ErrorCode::kInvalidArgument;
  RC_ASSERT(known);
}

RC_GTEST_PROP(ClientCodec, DataOfAnySizeArrivesWhole, ()) {
  const size_t size = *rc::gen::inRange<size_t>(0, 20'000);
  api::ClientFrame frame = write_frame();
  frame.mutable_write()->mutable_set()->set_data(std::string(size, 'v'));
  RC_ASSERT(operation_of<kv::SetOp>(frame).data == frame.write().set().data());
}

kv::Stat some_stat() {
  kv::Stat stat;
  stat.czxid = Zxid(1);
  stat.mzxid = Zxid(2);
  stat.pzxid = Zxid(3);
  stat.ctime_ms = 4;
  stat.mtime_ms = 5;
  stat.version = 6;
  stat.cversion = 7;
  stat.aversion = 8;
  stat.ephemeral_owner = SessionId(9);
  stat.data_length = 10;
  stat.num_children = 11;
  return stat;
}

void expect_some_stat(const api::Stat& stat) {
  EXPECT_EQ(stat.czxid(), 1u);
  EXPECT_EQ(stat.mzxid(), 2u);
  EXPECT_EQ(stat.pzxid(), 3u);
  EXPECT_EQ(stat.ctime_ms(), 4);
  EXPECT_EQ(stat.mtime_ms(), 5);
  EXPECT_EQ(stat.version(), 6);
  EXPECT_EQ(stat.cversion(), 7);
  EXPECT_EQ(stat.aversion(), 8);
  EXPECT_EQ(stat.ephemeral_owner(), 9u);
  EXPECT_EQ(stat.data_length(), 10u);
  EXPECT_EQ(stat.num_children(), 11u);
}

TEST(ClientCodec, AnOutcomeWithAllItsFields) {
  kv::Outcome outcome;
  outcome.zxid = Zxid(31);
  outcome.path = "/x";
  outcome.stat = some_stat();
  outcome.held = true;
  outcome.token = Token(32);
  outcome.session = SessionId(33);
  outcome.epoch = 34;
  outcome.timeout_ms = 35;
  outcome.next_number = 36;
  const api::Reply reply = reply_of(outcome);
  EXPECT_EQ(reply.code(), 0u);
  EXPECT_EQ(reply.outcome().zxid(), 31u);
  EXPECT_EQ(reply.outcome().path(), "/x");
  expect_some_stat(reply.outcome().stat());
  EXPECT_TRUE(reply.outcome().held());
  EXPECT_EQ(reply.outcome().token(), 32u);
  EXPECT_EQ(reply.outcome().session(), 33u);
  EXPECT_EQ(reply.outcome().epoch(), 34u);
  EXPECT_EQ(reply.outcome().timeout_ms(), 35u);
  EXPECT_EQ(reply.outcome().next_number(), 36u);
}

TEST(ClientCodec, ARefusedOutcomeIsInTheReplysCode) {
  kv::Outcome outcome;
  outcome.code = ErrorCode::kNoNode;
  outcome.message = "there is no /x";
  const api::Reply reply = reply_of(outcome);
  EXPECT_EQ(reply.code(), static_cast<uint32_t>(ErrorCode::kNoNode));
  EXPECT_EQ(reply.message(), "there is no /x");
}

TEST(ClientCodec, AnErrorHasItsSentenceWhateverBytesItQuotes) {
  const auto frame =
      encoded({kConnection, ClientReply{1, {ErrorCode::kBadPath, "bad: \xff"}, Zxid(), std::monostate()}});
  EXPECT_EQ(frame.reply().code(), static_cast<uint32_t>(ErrorCode::kBadPath));
  EXPECT_EQ(frame.reply().message(), "bad: \xff");
}

TEST(ClientCodec, NodesChildrenAndLocks) {
  const api::Reply node = reply_of(NodeReply{"data", some_stat()});
  EXPECT_EQ(node.node().data(), "data");
  expect_some_stat(node.node().stat());
  const api::Reply children = reply_of(ChildrenReply{{"a", "b"}, some_stat()});
  ASSERT_EQ(children.children().names_size(), 2);
  EXPECT_EQ(children.children().names(1), "b");
  expect_some_stat(children.children().stat());
  const api::Reply place = reply_of(lock::Place{true, Token(4)});
  EXPECT_TRUE(place.place().held());
  EXPECT_EQ(place.place().token(), 4u);
  lock::LockView view;
  view.path = "/l";
  view.holder = lock::Contender{"/l/lock-1", SessionId(1), Token(2), "me", 3};
  view.waiters = {{"/l/lock-2", SessionId(4), Token(5), "you", 6}};
  view.more = 7;
  view.mixed = true;
  view.unknown = true;
  const api::Reply lock = reply_of(view);
  EXPECT_EQ(lock.lock().path(), "/l");
  EXPECT_EQ(lock.lock().holder().data(), "me");
  EXPECT_EQ(lock.lock().holder().since_ms(), 3);
  EXPECT_EQ(lock.lock().waiters(0).node(), "/l/lock-2");
  EXPECT_EQ(lock.lock().waiters(0).session(), 4u);
  EXPECT_EQ(lock.lock().waiters(0).token(), 5u);
  EXPECT_TRUE(lock.lock().mixed());
  EXPECT_TRUE(lock.lock().unknown());
  EXPECT_EQ(lock.lock().more(), 7u);
  EXPECT_EQ(reply_of(LockListReply{{view, view}, {}}).locks().locks_size(), 2);
  EXPECT_EQ(reply_of(LockListReply{{view}, "/l"}).locks().next(), "/l");
}

TEST(ClientCodec, SessionsWithAllTheirFields) {
  const SessionInfo session{SessionId(9), 4'000, 2, {"/a", "/b"}, {{"digest", "anna"}}};
  const api::Reply reply = reply_of(SessionListReply{{session}, SessionId(9)});
  const api::SessionInfo& told = reply.sessions().sessions(0);
  EXPECT_EQ(told.id(), 9u);
  EXPECT_EQ(told.timeout_ms(), 4'000u);
  EXPECT_EQ(told.ephemerals(), 2u);
  EXPECT_EQ(told.paths(1), "/b");
  EXPECT_EQ(told.who(0).scheme(), "digest");
  EXPECT_EQ(told.who(0).name(), "anna");
  EXPECT_EQ(reply.sessions().next(), 9u);
}

TEST(ClientCodec, AStatusWithAllItsFields) {
  ServerStatus status;
  status.id = ServerId(2);
  status.cluster = ClusterId(99);
  status.role = raft::RoleName::kLeader;
  status.may_vote = false;
  status.receiving = true;
  status.disk_full = true;
  status.stuck = true;
  status.checkpoint = Index(10);
  status.checkpointing = true;
  status.term = Term(3);
  status.leader = ServerId(2);
  status.last_index = Index(14);
  status.committed = Index(13);
  status.applied = Index(12);
  status.zxid = Zxid(11);
  status.nodes = 4;
  status.sessions = 5;
  status.connections = 6;
  status.watches = 7;
  status.state_hash = 8;
  status.members = {{ServerId(1), raft::MemberRole::kLearner, "p:1", "c:1", Index(9)},
                    {ServerId(2), raft::MemberRole::kVoter, "p:2", "c:2", std::nullopt}};
  const api::Reply reply = reply_of(status);
  const api::ServerStatus& out = reply.status();
  EXPECT_EQ(out.id(), 2u);
  EXPECT_EQ(out.cluster(), 99u);
  EXPECT_EQ(out.role(), static_cast<uint32_t>(raft::RoleName::kLeader));
  EXPECT_FALSE(out.may_vote());
  EXPECT_TRUE(out.receiving());
  EXPECT_TRUE(out.disk_full());
  EXPECT_TRUE(out.stuck());
  EXPECT_EQ(out.checkpoint(), 10u);
  EXPECT_TRUE(out.checkpointing());
  EXPECT_EQ(out.term(), 3u);
  EXPECT_EQ(out.leader(), 2u);
  EXPECT_EQ(out.last_index(), 14u);
  EXPECT_EQ(out.committed(), 13u);
  EXPECT_EQ(out.applied(), 12u);
  EXPECT_EQ(out.zxid(), 11u);
  EXPECT_EQ(out.nodes(), 4u);
  EXPECT_EQ(out.sessions(), 5u);
  EXPECT_EQ(out.connections(), 6u);
  EXPECT_EQ(out.watches(), 7u);
  EXPECT_EQ(out.state_hash(), 8u);
  ASSERT_EQ(out.members_size(), 2);
  EXPECT_EQ(out.members(0).role(), static_cast<uint32_t>(raft::MemberRole::kLearner));
  EXPECT_EQ(out.members(0).peer_address(), "p:1");
  EXPECT_EQ(out.members(0).client_address(), "c:1");
  EXPECT_TRUE(out.members(0).has_match());
  EXPECT_EQ(out.members(0).match(), 9u);
  EXPECT_FALSE(out.members(1).has_match());
}

TEST(ClientCodec, Events) {
  const auto watch =
      encoded({kConnection, kv::WatchEvent{kConnection, 4, kv::EventKind::kDeleted, "/w", Zxid(6)}});
  EXPECT_EQ(watch.watch_event().watch(), 4u);
  EXPECT_EQ(watch.watch_event().kind(), static_cast<uint32_t>(kv::EventKind::kDeleted));
  EXPECT_EQ(watch.watch_event().path(), "/w");
  EXPECT_EQ(watch.watch_event().zxid(), 6u);
  const auto grant = encoded({kConnection, GrantEvent{{SessionId(1), "/l/lock-1", Token(7), Zxid(8)}}});
  EXPECT_EQ(grant.granted().node(), "/l/lock-1");
  EXPECT_EQ(grant.granted().token(), 7u);
  EXPECT_EQ(grant.granted().zxid(), 8u);
  const auto lost = encoded({kConnection, LossEvent{{SessionId(1), "/l/lock-1", Zxid(8)}}});
  EXPECT_EQ(lost.lost().node(), "/l/lock-1");
  EXPECT_EQ(lost.lost().zxid(), 8u);
  const auto end = encoded({kConnection, SessionEndEvent{SessionId(3), ErrorCode::kSessionMoved}});
  EXPECT_EQ(end.session_end().session(), 3u);
  EXPECT_EQ(end.session_end().code(), static_cast<uint32_t>(ErrorCode::kSessionMoved));
}

TEST(ClientFrameSize, TellsWhatIsMissingAndWhatIsTooLong) {
  EXPECT_EQ(*client_frame_size("ab", 100), 0u);
  EXPECT_EQ(*client_frame_size(std::string_view("\5\0\0\0", 4), 100), 9u);
  EXPECT_EQ(client_frame_size("\xff\xff\xff\xff", 100).code(), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace quorate::server
