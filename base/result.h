// Result<T>: a value or an Error, with the member names of std::expected, so that a later compiler's
// <expected> can replace it. g++ 12 in C++20 mode and clang 14 have none.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"

namespace wiregauge {

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit on purpose

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Calling value() without one, or error() with one, is a bug of ours and aborts.
  T& value() & { return Checked(); }
  const T& value() const& { return const_cast<Result*>(this)->Checked(); }
  T&& value() && { return std::move(Checked()); }
  T& operator*() & { return Checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->Checked(); }
  T&& operator*() && { return std::move(Checked()); }
  T* operator->() { return &Checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->Checked(); }

  [[nodiscard]] const Error& error() const {
    if (has_value()) Bug("Result::error() of a value");
    return *std::get_if<1>(&state_);
  }

 private:
  T& Checked() {
    if (!has_value()) Bug("Result::value() of an error: " + std::get_if<1>(&state_)->message);
    return *std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  [[nodiscard]] bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  [[nodiscard]] const Error& error() const {
    if (has_value()) Bug("Result::error() of a value");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace wiregauge
