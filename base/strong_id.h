// Integers that cannot be mixed up: a Term is not an Index, and `term + index` does not compile.
//
// Thread safety: plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>

namespace quorate {

template <class Tag, class Rep = uint64_t>
class StrongId {
 public:
  using rep = Rep;

  constexpr StrongId() = default;
  explicit constexpr StrongId(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  constexpr StrongId next() const { return StrongId(value_ + 1); }
  // REQUIRES: value() > 0.
  constexpr StrongId prev() const { return StrongId(value_ - 1); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  friend constexpr StrongId operator+(StrongId a, Rep n) { return StrongId(a.value_ + n); }
  friend constexpr StrongId operator-(StrongId a, Rep n) { return StrongId(a.value_ - n); }
  // The distance from b to a. REQUIRES: a >= b.
  friend constexpr Rep operator-(StrongId a, StrongId b) { return a.value_ - b.value_; }
  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << +id.value_; }

 private:
  Rep value_ = 0;
};

}  // namespace quorate

template <class Tag, class Rep>
struct std::hash<quorate::StrongId<Tag, Rep>> {
  size_t operator()(quorate::StrongId<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
