// Bytes that wait to be sent on one connection: small ones gathered into strings of the queue's own, large
// ones as views of the blocks they are in, so that the entries of a batch leave without a copy.
//
// Thread safety: none.
//
// Invariant: bytes() is the sum of what copy(), write() and share() added and consume() took.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"

namespace quorate::server {

// Below this a copy is cheaper than an element of a gathered write.
inline constexpr size_t kShareBytesMin = 1024;

class OutputQueue {
 public:
  void copy(std::string_view bytes);
  // `append` appends to the string that it is given, which holds what came before.
  template <class Append>
  void write(const Append& append) {
    std::string& own = last_string();
    const size_t before = own.size();
    append(own);
    bytes_ += own.size() - before;
  }
  // As a view, joined with the piece before where it lies directly behind it in its block.
  void share(const Bytes& bytes);

  size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  // Fills `pieces` from the front; returns how many. They are valid until the next call of anything else.
  size_t gather(std::span<iovec> pieces) const;
  // REQUIRES: count <= bytes().
  void consume(size_t count);
  void clear();

 private:
  using Piece = std::variant<std::string, Bytes>;
  static std::string_view view(const Piece& piece);
  // The last piece, a new one if that is no string.
  std::string& last_string();

  std::list<Piece> pieces_;  // an empty one takes no memory: most connections are idle
  size_t front_offset_ = 0;
  size_t bytes_ = 0;
};

// Sends what the (non-blocking) socket takes. Returns 0, or the errno that ended the connection; a full
// socket is no error.
int send_some(int socket, OutputQueue& queue);

}  // namespace quorate::server
