// Decoders under hostile bytes: for each decoder that reads from a disk or a socket, one function that must
// come to an end without a sanitizer's complaint and without a broken promise (CHECK), whatever bytes it is
// given.
//
// A target is a file of its own:
//
//   const Target kTarget("command", run, seeds);
//
// Two programs link all of them. quorate-fuzz (preset fuzz: clang, libFuzzer) looks for bytes that break one;
// fuzz_test (the same preset) gives each its seeds and bytes near to them, so that what was found once
// stays found: such bytes are added to the seeds.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"

namespace quorate::fuzz {

class Target {
 public:
  using Run = void (*)(std::string_view bytes);
  // Well-formed inputs, from which a search begins.
  using Seeds = std::vector<std::string> (*)();

  Target(const char* name, Run run, Seeds seeds);
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // By name; those of this program.
  static std::vector<const Target*> all();
  static const Target* find(std::string_view name);

  const char* const name;
  const Run run;
  const Seeds seeds;
};

// An input that says how the bytes under test are made takes its numbers from the front of it. Never fails:
// behind the end everything is 0.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}

  bool more() const { return !bytes_.empty(); }
  uint64_t number(size_t size) {
    uint64_t value = 0;
    for (const char byte : take(size)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  uint8_t byte() { return static_cast<uint8_t>(number(1)); }
  // In [0, bound). REQUIRES: bound > 0.
  uint64_t below(uint64_t bound) { return number(bound > 256 ? 4 : 1) % bound; }
  std::string_view take(size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return take(bytes_.size()); }

 private:
  std::string_view bytes_;
};

}  // namespace quorate::fuzz
