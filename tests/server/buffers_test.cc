// The buffers in front of and behind a socket, against plain strings.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "base/random.h"
#include "server/shell/input_buffer.h"
#include "server/shell/output_queue.h"

namespace quorate::server {
namespace {

std::string some_bytes(size_t size) {
  Random random(*rc::gen::arbitrary<uint64_t>());
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

RC_GTEST_PROP(OutputQueue, GivesBackWhatWasPutInWhateverThePieces, ()) {
  OutputQueue queue;
  std::string model;
  const Bytes block(some_bytes(8000));
  size_t shared = 0;  // of the block, so that neighbours are joined
  for (int step = *rc::gen::inRange(1, 40); step > 0; --step) {
    switch (*rc::gen::inRange(0, 4)) {
      case 0: {
        const std::string bytes = some_bytes(*rc::gen::inRange<size_t>(0, 50));
        queue.copy(bytes);
        model += bytes;
        break;
      }
      case 1: {
        const size_t size = *rc::gen::inRange<size_t>(0, 3000);
        if (shared + size > block.size()) shared = 0;
        queue.share(block.slice(shared, size));
        model += block.view().substr(shared, size);
        shared += size;
        break;
      }
      case 2: {
        const std::string bytes = some_bytes(*rc::gen::inRange<size_t>(0, 50));
        queue.write([&bytes](std::string& out) { out += bytes; });
        model += bytes;
        break;
      }
      default: {
        iovec pieces[3];
        const size_t count = queue.gather(pieces);
        std::string front;
        for (size_t i = 0; i < count; ++i)
          front.append(static_cast<char*>(pieces[i].iov_base), pieces[i].iov_len);
        RC_ASSERT(front == model.substr(0, front.size()));
        const size_t taken = *rc::gen::inRange<size_t>(0, front.size() + 1);
        queue.consume(taken);
        model.erase(0, taken);
      }
    }
    RC_ASSERT(queue.bytes() == model.size());
  }
}

TEST(OutputQueue, NeighboursInABlockBecomeOnePiece) {
  OutputQueue queue;
  const Bytes block(std::string(8192, 'x'));
  queue.share(block.slice(0, 4096));
  queue.share(block.slice(4096, 4096));
  iovec pieces[4];
  EXPECT_EQ(queue.gather(pieces), 1u);
  EXPECT_EQ(pieces[0].iov_len, 8192u);
  EXPECT_EQ(pieces[0].iov_base, block.view().data());
}

TEST(SendSome, LeavesWhatTheSocketDoesNotTakeAndSaysWhenItIsBroken) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  OutputQueue queue;
  queue.share(Bytes(std::string(16 << 20, 'x')));
  EXPECT_EQ(send_some(ends[0], queue), 0);
  EXPECT_GT(queue.bytes(), 0u);
  EXPECT_LT(queue.bytes(), size_t{16} << 20);
  ::close(ends[1]);
  EXPECT_NE(send_some(ends[0], queue), 0);
  ::close(ends[0]);
}

// Each read that fills the space doubles it: without a bound a long run of them takes all memory there is.
constexpr size_t kBufferedMax = 4 << 20;

RC_GTEST_PROP(InputBuffer, GivesBackWhatCameIn, ()) {
  InputBuffer buffer;
  std::string model;
  for (int step = *rc::gen::inRange(1, 60); step > 0; --step) {
    if (model.size() < kBufferedMax && *rc::gen::arbitrary<bool>()) {
      const std::span<char> space = buffer.space();
      RC_ASSERT(space.size() >= 512u);
      const bool full = *rc::gen::inRange(0, 4) == 0;
      const std::string bytes = some_bytes(full ? space.size() : *rc::gen::inRange<size_t>(1, space.size()));
      std::memcpy(space.data(), bytes.data(), bytes.size());
      buffer.filled(bytes.size());
      model += bytes;
    } else {
      const size_t taken = *rc::gen::inRange<size_t>(0, model.size() + 1);
      buffer.consume(taken);
      model.erase(0, taken);
    }
    RC_ASSERT(buffer.bytes() == model);
  }
}

}  // namespace
}  // namespace quorate::server
