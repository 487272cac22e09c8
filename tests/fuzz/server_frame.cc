// The client library's FrameReader: a connection's bytes as what a server sends.
#include <google/protobuf/stubs/logging.h>

#include "base/check.h"
#include "client/wire.h"
#include "tests/fuzz/message_seeds.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

// What was read from the stream before it ended or went bad.
struct Read {
  std::vector<std::string> frames;
  bool bad = false;
};

void convert(const api::ServerFrame& frame) {
  if (!frame.has_reply()) return;
  const api::Reply& reply = frame.reply();
  (void)client::judge(client::error_of(reply).code);
  if (reply.has_node()) (void)client::stat_of(reply.node().stat());
  if (reply.has_lock()) (void)client::lock_of(reply.lock());
  for (const api::Lock& lock : reply.locks().locks()) (void)client::lock_of(lock);
  if (reply.has_status()) (void)client::status_of(reply.status());
}

Read read(std::string_view bytes, size_t piece) {
  Read read;
  client::FrameReader reader;
  while (!bytes.empty() && !read.bad) {
    const std::string_view part = bytes.substr(0, piece);
    reader.append(part.data(), part.size());
    bytes.remove_prefix(part.size());
    for (;;) {
      auto frame = reader.next();
      read.bad = !frame.ok();
      if (!frame.ok() || !frame->has_value()) break;
      convert(**frame);
      read.frames.push_back((*frame)->SerializeAsString());
    }
  }
  return read;
}

// However the network cuts the stream, the same comes out of it.
void run(std::string_view bytes) {
  // Protobuf would tell of each string that is no UTF-8.
  static const google::protobuf::LogSilencer silence;
  const Read whole = read(bytes, bytes.size() + 1);
  const Read in_pieces = read(bytes, 1 + bytes.size() % 7);
  CHECK(whole.frames == in_pieces.frames);
  CHECK(whole.bad == in_pieces.bad);
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  api::ServerFrame message;
  each_choice(message, [&] { seeds.push_back(frame(message)); });
  std::string stream;
  for (const std::string& one : seeds) stream += one;
  seeds.push_back(stream);
  return seeds;
}

const Target kTarget("server_frame", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
