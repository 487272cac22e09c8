// A value or an Error. C++20 has no std::expected; this is the little of it that is needed.
//
//   Result<Node> node = tree.get(path);
//   if (!node.ok()) return node.error();
//   use(*node);
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/check_failed.h"
#include "base/error.h"

namespace quorate {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : value_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design
  Result(ErrorCode code, std::string message) : Result(Error{code, std::move(message)}) {}

  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }
  ErrorCode code() const { return ok() ? ErrorCode::kOk : std::get<1>(value_).code; }
  // REQUIRES: !ok().
  const Error& error() const& {
    if (ok()) [[unlikely]]
      check_failed(__FILE__, __LINE__, "!ok()", {});
    return std::get<1>(value_);
  }
  // REQUIRES: ok().
  T& value() & {
    require_value();
    return std::get<0>(value_);
  }
  const T& value() const& {
    require_value();
    return std::get<0>(value_);
  }
  T&& value() && {
    require_value();
    return std::move(std::get<0>(value_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void require_value() const {
    if (!ok()) [[unlikely]]
      check_failed(__FILE__, __LINE__, "ok()", std::get<1>(value_).message);
  }

  std::variant<T, Error> value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design
  Result(ErrorCode code, std::string message) : error_(Error{code, std::move(message)}) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  ErrorCode code() const { return ok() ? ErrorCode::kOk : error_->code; }
  // REQUIRES: !ok().
  const Error& error() const {
    if (ok()) [[unlikely]]
      check_failed(__FILE__, __LINE__, "!ok()", {});
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace quorate
