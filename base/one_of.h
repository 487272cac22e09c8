// A std::variant whose special members are compiled once: what is a part of messages that every layer copies
// and destroys is otherwise instantiated in every file that sees one, which took a fifth of a build.
//
//   struct Body : std::variant<A, B> { QUORATE_ONE_OF(Body); };     in the header
//   QUORATE_ONE_OF_MEMBERS(Body)                                    in one source file
//
// It is used like the variant: std::visit, std::get_if and the others take it.
//
// Thread safety: as of a std::variant.
#pragma once

#include <variant>  // IWYU pragma: export

#define QUORATE_ONE_OF(name)        \
  using variant::variant;           \
  using variant::operator=;         \
  name();                           \
  name(const name&);                \
  name(name&&) noexcept;            \
  name& operator=(const name&);     \
  name& operator=(name&&) noexcept; \
  ~name()

#define QUORATE_ONE_OF_MEMBERS(name)                \
  name::name() = default;                           \
  name::name(const name&) = default;                \
  name::name(name&&) noexcept = default;            \
  name& name::operator=(const name&) = default;     \
  name& name::operator=(name&&) noexcept = default; \
  name::~name() = default;
