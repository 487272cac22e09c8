// The byte formats of commands and outcomes, by example; tests/property has them by the thousand.
#include <gtest/gtest.h>

#include "kv/command.h"
#include "kv/command_view.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr SessionPassword kPassword = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

std::vector<Command> examples() {
  const Origin origin{ServerId(3), BootNonce(0xfedcba9876543210), 300};
  return {
      OpenSession{origin, 30'000, kPassword, "10.1.2.3"},
      AttachSession{origin, SessionId(200), kPassword, "2001:db8::1", 300},
      ExpireSessions{},
      ExpireSessions{{SessionId(1), SessionId(UINT64_MAX)}},
      SessionRequest{SessionId(1), 2, 3, 3, CreateOp{"/a", "data", true, true, true}},
      SessionRequest{SessionId(1), UINT32_MAX, UINT64_MAX, 0, CreateOp{}},
      SessionRequest{SessionId(1), 2, 3, 3, SetOp{"/a", "data", -7}},
      SessionRequest{SessionId(1), 2, 3, 3, SetOp{"/a", "", 4, true}},
      SessionRequest{SessionId(1), 2, 3, 3, DeleteOp{"/a", 9}},
      SessionRequest{SessionId(1), 2, 3, 3, AcquireOp{"/a", "me"}},
      SessionRequest{SessionId(1), 2, 3, 3, AcquireOp{"/a", "me", {Mode::kPermit, 300, 70'000}}},
      SessionRequest{SessionId(1), 2, 3, 3, AcquireOp{"/a", "me", {Mode::kExclusive, 0, 1}}},
      SessionRequest{SessionId(1), 2, 3, 3, AcquireManyOp{}},
      SessionRequest{SessionId(1), 2, 3, 3,
                     AcquireManyOp{{{"/a", "me"}, {"/b", "", {Mode::kShared}}}, false}},
      SessionRequest{SessionId(1), 2, 3, 3, UpgradeOp{"/a/lock-0000000001"}},
      SessionRequest{SessionId(1), 2, 3, 3, DowngradeOp{"/a/lock-0000000001"}},
      SessionRequest{SessionId(1), 2, 3, 3, BreakOp{"/a", Token(300)}},
      SessionRequest{SessionId(1), 2, 3, 3, ReleaseOp{"/a/lock-0000000001"}},
      SessionRequest{SessionId(1), 2, 3, 3, CloseSessionOp{}},
      ReapNodes{},
      ReapNodes{{"/a", "/a/b"}},
      SessionRequest{SessionId(1), 2, 3, 3, CreateOp{"/c", "", false, false, false, true}},
      SessionRequest{SessionId(1), 2, 3, 3,
                     CreateOp{"/n", "", false, false, false, false, std::nullopt, {}, true}},
      SessionRequest{
          SessionId(1), 2, 3, 3,
          CreateOp{"/t", "data", false, true, true, false, 1'000, {{kAllPermissions, "world", "anyone"}}}},
      SessionRequest{SessionId(1), 2, 3, 3, DeleteOp{"/a", -1, true}},
      SessionRequest{SessionId(1), 2, 3, 3, SetAclOp{"/a", {{kRead, "world", "anyone"}}, 4}},
      SessionRequest{SessionId(1), 2, 3, 3, MultiOp{}},
      SessionRequest{SessionId(1), 2, 3, 3, SetQuotaOp{"/a", {-1, 0, 1, INT64_MAX}}},
      SessionRequest{SessionId(1), 2, 3, 3, AddCredentialOp{{"digest", "alice:x"}, true}},
      SessionRequest{SessionId(1), 2, 3, 3,
                     MultiOp{{CreateOp{"/a", "data"}, SetOp{"/a", "other", 0}, SetOp{"/a", "", 1, true},
                              DeleteOp{"/b", 3, true}, SetAclOp{"/a", {{kWrite, "world", "anyone"}}, -1},
                              CheckOp{"/a", 1}, CheckAbsentOp{"/c"}, CheckHeldOp{"/lock", Token(300)}}}}};
}

TEST(CommandCodec, RoundTrips) {
  for (const Command& command : examples()) {
    const std::string bytes = encode_command(command);
    const Result<Command> decoded = decode_command(bytes);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->index(), command.index());
    EXPECT_EQ(encode_command(*decoded), bytes);
  }
}

// What the version before wrote and reads: a place that is plainly exclusive, and a node that is made.
TEST(CommandCodec, PlainOperationsHaveTheBytesTheyHad) {
  std::string bytes;
  append_operation(bytes, view_of(AcquireOp{"/a", "me"}));
  EXPECT_EQ(bytes, std::string("\x04\x02/a\x02me", 7));
  bytes.clear();
  append_operation(bytes, view_of(CreateOp{"/a", "me", true, true}));
  EXPECT_EQ(bytes, std::string("\x01\x02/a\x03\x02me", 8));
}

// Equal commands have equal bytes, so what could be written shorter is refused.
TEST(CommandCodec, APlainAcquireHasOneForm) {
  for (const char tail : {'\0', '\1'}) {
    const std::string bytes = std::string("\x0e\x02/a\x02me", 7) + std::string("\0\0", 2) + tail;
    ByteReader in(bytes);
    (void)read_operation(in);
    EXPECT_EQ(in.failed(), tail == '\0') << "without a delay it is the plain one";
  }
}

TEST(CommandCodec, KeepsTheModeOfALock) {
  const AcquireOp shared{"/a", "me", {Mode::kShared, 0, 9}};
  const Command command = SessionRequest{SessionId(7), 2, 5, 4, AcquireManyOp{{shared, {"/b", ""}}, true}};
  const Result<Command> decoded = decode_command(encode_command(command));
  ASSERT_TRUE(decoded.ok());
  const auto& many = std::get<AcquireManyOp>(std::get<SessionRequest>(*decoded).operation);
  ASSERT_EQ(many.locks.size(), 2U);
  EXPECT_TRUE(many.wait);
  EXPECT_EQ(many.locks[0].mode, shared.mode);
  EXPECT_EQ(many.locks[0].data, "me");
  EXPECT_EQ(many.locks[1].mode, PlaceMode());
}

TEST(CommandCodec, KeepsEachField) {
  const Command command = SessionRequest{SessionId(7), 2, 5, 4, CreateOp{"/a", "data", true, false, true}};
  const Result<Command> decoded = decode_command(encode_command(command));
  ASSERT_TRUE(decoded.ok());
  const auto& request = std::get<SessionRequest>(*decoded);
  EXPECT_EQ(request.session, SessionId(7));
  EXPECT_EQ(request.epoch, 2u);
  EXPECT_EQ(request.number, 5u);
  EXPECT_EQ(request.acked_below, 4u);
  const auto& create_op = std::get<CreateOp>(request.operation);
  EXPECT_EQ(create_op.path, "/a");
  EXPECT_EQ(create_op.data, "data");
  EXPECT_TRUE(create_op.ephemeral);
  EXPECT_FALSE(create_op.sequential);
  EXPECT_TRUE(create_op.parents);
}

TEST(CommandCodec, RefusesEveryTruncationAndAnyTail) {
  for (const Command& command : examples()) {
    const std::string bytes = encode_command(command);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(decode_command(bytes.substr(0, size)).code(), ErrorCode::kMalformed);
    }
    EXPECT_EQ(decode_command(bytes + '\0').code(), ErrorCode::kMalformed);
  }
}

TEST(CommandCodec, RefusesALaterVersionAsUnsupported) {
  std::string bytes = encode_command(ExpireSessions{});
  bytes[0] = kCommandVersion + 1;
  EXPECT_EQ(decode_command(bytes).code(), ErrorCode::kUnsupported);
  bytes[0] = 0;
  EXPECT_EQ(decode_command(bytes).code(), ErrorCode::kMalformed);
}

TEST(CommandCodec, RefusesUnknownKindsAndWhatFollowsNoFlag) {
  EXPECT_EQ(decode_command(std::string_view("\x01\x00", 2)).code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_command("\x01\x06").code(), ErrorCode::kMalformed);
  // A request: session, epoch, number, acked_below, then the operation.
  const std::string request = "\x01\x04\x01\x01\x01\x01";
  EXPECT_EQ(decode_command(request + "\x0c").code(), ErrorCode::kMalformed);
  EXPECT_TRUE(decode_command(request + "\x06").ok());
  EXPECT_TRUE(decode_command(request + std::string("\x01\x02/a\x07\x00", 6)).ok());
  // Where it says that there is no data, none may follow.
  EXPECT_TRUE(decode_command(request + "\x01\x02/a\x80").ok());
  EXPECT_EQ(decode_command(request + std::string("\x01\x02/a\x80\x00", 6)).code(), ErrorCode::kMalformed);
}

// A condition stands in a multi, and only there; in a multi there is no other multi, and nothing of a lock.
TEST(CommandCodec, KnowsWhatAMultiMayHold) {
  const std::string request = "\x01\x04\x01\x01\x01\x01";
  const std::string check = std::string("\x0a\x02/a", 4);
  EXPECT_EQ(decode_command(request + check).code(), ErrorCode::kMalformed);
  EXPECT_TRUE(decode_command(request + "\x08\x01" + check).ok());
  EXPECT_EQ(decode_command(request + "\x08\x02" + check).code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_command(request + std::string("\x08\x01\x08\x00", 4)).code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_command(request + "\x08\x01\x05\x02/a").code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_command(request + "\x08\x01\x06").code(), ErrorCode::kMalformed);
}

TEST(CommandCodec, AMultiOfTooManyIsRefusedBeforeAnythingIsReserved) {
  MultiOp multi;
  multi.operations.resize(kMultiOperationsMax, CheckAbsentOp{"/a"});
  EXPECT_TRUE(decode_command(encode_command(SessionRequest{SessionId(1), 1, 1, 0, multi})).ok());
  multi.operations.emplace_back(CheckAbsentOp{"/a"});
  EXPECT_EQ(decode_command(encode_command(SessionRequest{SessionId(1), 1, 1, 0, multi})).code(),
            ErrorCode::kMalformed);
}

TEST(CommandCodec, RefusesWhatSaysNothing) {
  const std::string request = "\x01\x04\x01\x01\x01\x01";
  // A create whose list of permissions is empty, and a delete that is recursive twice over.
  EXPECT_EQ(decode_command(request + std::string("\x01\x02/a\x20\x00\x00", 7)).code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_command(request + std::string("\x03\x02/a\xff\xff\xff\xff\x02", 9)).code(),
            ErrorCode::kMalformed);
}

TEST(CommandCodec, RefusesNumbersThatAreNotWrittenTheShortestWay) {
  EXPECT_EQ(decode_command(std::string_view("\x01\x03\x80\x00", 4)).code(), ErrorCode::kMalformed);
  EXPECT_TRUE(decode_command(std::string_view("\x01\x03\x00", 3)).ok());
}

TEST(CommandCodec, RefusesAnEpochBeyondItsType) {
  const std::string bytes("\x01\x04\x01\x80\x80\x80\x80\x10\x01\x01\x06", 11);
  EXPECT_EQ(decode_command(bytes).code(), ErrorCode::kMalformed);
}

TEST(CommandCodec, ACountThatCannotBeIsRefusedBeforeAnythingIsReserved) {
  EXPECT_EQ(decode_command("\x01\x03\xff\xff\xff\xff\x07").code(), ErrorCode::kMalformed);
}

TEST(CommandCodec, StampsComeBack) {
  const Stamp stamp{-1, INT64_MAX};
  std::string bytes;
  append_stamp(bytes, stamp);
  EXPECT_EQ(bytes.size(), kStampBytes);
  EXPECT_EQ(read_stamp(bytes + "body"), stamp);
}

TEST(Validate, AsksOnlyWhatNeedsNoState) {
  const auto code = [](Operation operation) {
    return validate(SessionRequest{SessionId(1), 1, 1, 0, std::move(operation)}).code();
  };
  EXPECT_EQ(code(create("/a/b")), ErrorCode::kOk);
  EXPECT_EQ(code(create("a")), ErrorCode::kBadPath);
  EXPECT_EQ(code(create("/a/")), ErrorCode::kBadPath);
  EXPECT_EQ(code(create_sequential("/a/")), ErrorCode::kOk);
  EXPECT_EQ(code(SetOp{"/a", std::string(kDataBytesMax + 1, 'x'), -1}), ErrorCode::kTooLarge);
  EXPECT_EQ(code(DeleteOp{"/", -1}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(AcquireOp{"/a/..", {}}), ErrorCode::kBadPath);
  EXPECT_EQ(code(ReleaseOp{""}), ErrorCode::kBadPath);
  EXPECT_EQ(code(CloseSessionOp{}), ErrorCode::kOk);
  EXPECT_EQ(validate(SessionRequest{SessionId(1), 1, 0, 0, CloseSessionOp{}}).code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(validate(SessionRequest{SessionId(1), 1, 1, 2, CloseSessionOp{}}).code(),
            ErrorCode::kInvalidArgument);
  for (const Command& command :
       {Command(OpenSession{}), Command(AttachSession{}), Command(ExpireSessions{})}) {
    EXPECT_TRUE(validate(command).ok());
  }
}

std::vector<Outcome> outcome_examples() {
  std::vector<Outcome> outcomes(7);
  outcomes[1].code = ErrorCode::kNoNode;
  outcomes[1].message = "there is no node";
  outcomes[2].path = "/a";
  outcomes[2].zxid = Zxid(UINT64_MAX);
  outcomes[2].stat = {Zxid(1), Zxid(2), Zxid(3), -4, 5, 6, -7, 8, SessionId(9), 10, 11};
  outcomes[3].held = true;
  outcomes[4].token = Token(300);
  outcomes[5].session = SessionId(4);
  outcomes[5].epoch = UINT32_MAX;
  outcomes[5].timeout_ms = 1;
  outcomes[5].next_number = 1;
  outcomes[6].code = ErrorCode::kNoNode;
  outcomes[6].results = {
      {}, {ErrorCode::kNoNode, "why", "", {}}, {ErrorCode::kNotAttempted, "", "/p", outcomes[2].stat}};
  return outcomes;
}

TEST(OutcomeCodec, RoundTripsAndRefusesEveryTruncation) {
  for (const Outcome& outcome : outcome_examples()) {
    const std::string bytes = encode_outcome(outcome);
    const Result<Outcome> decoded = decode_outcome(bytes);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, outcome);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(decode_outcome(bytes.substr(0, size)).code(), ErrorCode::kMalformed);
    }
    EXPECT_EQ(decode_outcome(bytes + '\0').code(), ErrorCode::kMalformed);
  }
}

TEST(OutcomeCodec, RefusesAGroupThatSaysNothing) {
  EXPECT_TRUE(decode_outcome(std::string_view("\x01\x00\x00\x00\x05", 5)).ok());
  // The same with an empty message, then with a lock group of defaults, then with a group that does not
  // exist.
  EXPECT_EQ(decode_outcome(std::string_view("\x01\x01\x00\x00\x05\x00", 6)).code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_outcome(std::string_view("\x01\x08\x00\x00\x05\x00\x00", 7)).code(),
            ErrorCode::kMalformed);
  EXPECT_EQ(decode_outcome(std::string_view("\x01\x20\x00\x00\x05\x00", 6)).code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_outcome(std::string_view("\x01\x40\x00\x00\x05", 5)).code(), ErrorCode::kMalformed);
  EXPECT_EQ(decode_outcome(std::string_view("\x01\x08\x00\x00\x05\x02\x01", 7)).code(),
            ErrorCode::kMalformed);
}

TEST(OutcomeCodec, RefusesALaterVersionAsUnsupported) {
  EXPECT_EQ(decode_outcome("\x02").code(), ErrorCode::kUnsupported);
  EXPECT_EQ(decode_outcome(std::string_view("\x00\x00\x00\x00\x05", 5)).code(), ErrorCode::kMalformed);
}

}  // namespace
}  // namespace quorate::kv
