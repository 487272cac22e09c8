#include "server/shell/output_queue.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/check.h"

namespace quorate::server {

std::string_view OutputQueue::view(const Piece& piece) {
  if (const auto* own = std::get_if<std::string>(&piece)) return *own;
  return std::get<Bytes>(piece).view();
}

void OutputQueue::copy(std::string_view bytes) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  last_string().append(bytes);
}

std::string& OutputQueue::last_string() {
  if (pieces_.empty() || !std::holds_alternative<std::string>(pieces_.back()))
    pieces_.emplace_back(std::in_place_type<std::string>);
  return std::get<std::string>(pieces_.back());
}

void OutputQueue::share(const Bytes& bytes) {
  if (bytes.size() < kShareBytesMin) {
    copy(bytes.view());
    return;
  }
  bytes_ += bytes.size();
  if (!pieces_.empty()) {
    if (auto* last = std::get_if<Bytes>(&pieces_.back())) {
      if (last->extend(bytes)) return;
    }
  }
  pieces_.emplace_back(bytes);
}

size_t OutputQueue::gather(std::span<iovec> pieces) const {
  size_t count = 0;
  for (auto piece = pieces_.begin(); piece != pieces_.end() && count < pieces.size(); ++piece) {
    std::string_view bytes = view(*piece);
    if (count == 0) bytes.remove_prefix(front_offset_);
    pieces[count++] = {const_cast<char*>(bytes.data()), bytes.size()};  // NOLINT: sendmsg only reads it
  }
  return count;
}

void OutputQueue::consume(size_t count) {
  CHECK(count <= bytes_);
  bytes_ -= count;
  while (count > 0) {
    const size_t rest = view(pieces_.front()).size() - front_offset_;
    if (count < rest) {
      front_offset_ += count;
      return;
    }
    count -= rest;
    front_offset_ = 0;
    // The last string is kept, empty, so that the next answers find its memory.
    auto* own = std::get_if<std::string>(&pieces_.front());
    if (pieces_.size() == 1 && own != nullptr && own->capacity() <= (64 << 10)) {
      own->clear();
    } else {
      pieces_.pop_front();
    }
  }
}

void OutputQueue::clear() {
  pieces_.clear();
  front_offset_ = 0;
  bytes_ = 0;
}

int send_some(int socket, OutputQueue& queue) {
  constexpr size_t kPieces = 64;
  while (!queue.empty()) {
    iovec pieces[kPieces];
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = queue.gather(pieces);
    size_t asked = 0;
    for (size_t i = 0; i < message.msg_iovlen; ++i) asked += pieces[i].iov_len;
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
    }
    queue.consume(static_cast<size_t>(sent));
    // A short count means that the socket is full: asking again would only say so.
    if (static_cast<size_t>(sent) < asked) return 0;
  }
  return 0;
}

}  // namespace quorate::server
