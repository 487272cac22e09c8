// The primitives of ZooKeeper's encoding. WireReader and WireWriter have the same functions, so that each
// message is described once for both. Not for others than the codec to include.
//
// A WireReader never reads beyond its input: after the first impossible read it is failed for good, and what
// it gives is empty.
//
// Thread safety: none.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "proto/zookeeper.h"

namespace quorate::zookeeper {

static_assert(std::endian::native == std::endian::little);

class WireWriter {
 public:
  static constexpr bool kReads = false;
  // Appends to `out`, which outlives the writer.
  explicit WireWriter(std::string& out) : out_(out) {}

  void number(int32_t v) { big_endian(__builtin_bswap32(static_cast<uint32_t>(v))); }
  void number(int64_t v) { big_endian(__builtin_bswap64(static_cast<uint64_t>(v))); }
  void boolean(bool v) { out_.push_back(v ? 1 : 0); }
  void string(const std::string& v) {
    number(static_cast<int32_t>(v.size()));
    out_.append(v);
  }
  // Null has a length of its own.
  void data(const std::string& v, bool null) {
    if (null) return number(int32_t{-1});
    string(v);
  }
  void password(const Password& v) {
    number(static_cast<int32_t>(v.size()));
    out_.append(reinterpret_cast<const char*>(v.data()), v.size());
  }
  template <class T, class Each>
  void list(const std::vector<T>& v, size_t, const Each& each) {
    number(static_cast<int32_t>(v.size()));
    for (const T& item : v) each(item);
  }
  template <class Enum>
  void enumeration(Enum v) {
    number(static_cast<int32_t>(v));
  }

 private:
  template <class T>
  void big_endian(T v) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &v, sizeof(T));
    out_.append(bytes, sizeof(T));
  }

  std::string& out_;
};

class WireReader {
 public:
  static constexpr bool kReads = true;
  // `in` outlives the reader.
  explicit WireReader(std::string_view in) : in_(in) {}

  void number(int32_t& v) { v = static_cast<int32_t>(__builtin_bswap32(fixed<uint32_t>())); }
  void number(int64_t& v) { v = static_cast<int64_t>(__builtin_bswap64(fixed<uint64_t>())); }
  void boolean(bool& v) { v = fixed<uint8_t>() != 0; }
  void string(std::string& v) { v = std::string(take(length())); }
  void data(std::string& v, bool& null) {
    int32_t size = 0;
    number(size);
    null = size < 0;
    v = std::string(take(null ? 0 : static_cast<size_t>(size)));
  }
  // Of another length than it must have: all zeros, which is nobody's.
  void password(Password& v) {
    v = {};
    const std::string_view bytes = take(length());
    if (bytes.size() == v.size()) std::memcpy(v.data(), bytes.data(), v.size());
  }
  // `bytes_min`: what an item takes at least.
  template <class T, class Each>
  void list(std::vector<T>& v, size_t bytes_min, const Each& each) {
    const size_t count = length();
    if (count > in_.size() / bytes_min) return fail();
    v.clear();
    v.reserve(count);
    for (size_t i = 0; i < count && !failed_; ++i) each(v.emplace_back());
  }
  template <class Enum>
  void enumeration(Enum& v) {
    int32_t value = 0;
    number(value);
    v = static_cast<Enum>(value);
  }

  void fail() {
    failed_ = true;
    in_ = {};
  }
  bool failed() const { return failed_; }
  size_t remaining() const { return in_.size(); }

 private:
  // -1 is null, and so is everything below it to ZooKeeper's C client; of all but data both count as empty.
  size_t length() {
    int32_t value = 0;
    number(value);
    return value < 0 ? 0 : static_cast<size_t>(value);
  }
  std::string_view take(size_t size) {
    if (size > in_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = in_.substr(0, size);
    in_.remove_prefix(size);
    return taken;
  }
  template <class T>
  T fixed() {
    const std::string_view bytes = take(sizeof(T));
    T v{};
    if (bytes.size() == sizeof(T)) std::memcpy(&v, bytes.data(), sizeof(T));
    return v;
  }

  std::string_view in_;
  bool failed_ = false;
};

// Appends a frame: the length goes in front when the rest is known.
template <class Write>
void append_frame(std::string& bytes, const Write& write) {
  const size_t begin = bytes.size();
  bytes.append(sizeof(uint32_t), '\0');
  WireWriter out(bytes);
  write(out);
  const uint32_t size = __builtin_bswap32(static_cast<uint32_t>(bytes.size() - begin - sizeof(uint32_t)));
  std::memcpy(bytes.data() + begin, &size, sizeof(size));
}

}  // namespace quorate::zookeeper
