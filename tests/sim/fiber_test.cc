#include "tests/sim/fiber.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "tests/sim/context.h"

namespace quorate::sim {
namespace {

TEST(Fiber, GoesOnWhereItPaused) {
  std::string order;
  Fiber fiber([&] {
    order += "a";
    Fiber::current()->pause();
    order += "c";
  });
  EXPECT_EQ(Fiber::current(), nullptr);
  fiber.resume();
  order += "b";
  EXPECT_FALSE(fiber.ended());
  fiber.resume();
  EXPECT_TRUE(fiber.ended());
  EXPECT_EQ(order, "abc");
}

TEST(Fiber, SeveralHaveAStackEach) {
  const auto count = [](int& sum) {
    int mine = 0;
    for (int i = 0; i < 3; ++i) {
      sum += ++mine;
      Fiber::current()->pause();
    }
  };
  int one = 0, other = 0;
  Fiber first([&] { count(one); }), second([&] { count(other); });
  for (int i = 0; i < 4; ++i) {
    first.resume();
    second.resume();
  }
  EXPECT_EQ(one, 6);
  EXPECT_EQ(other, 6);
  EXPECT_TRUE(first.ended() && second.ended());
}

TEST(Fiber, WhatItThrowsComesOutOfResume) {
  Fiber fiber([] { throw std::runtime_error("thrown on a fiber"); });
  EXPECT_THROW(fiber.resume(), std::runtime_error);
  EXPECT_TRUE(fiber.ended());
}

TEST(Fiber, WhenItFailsNothingIsUnwound) {
  const std::string what = "a rule is broken";  // not on the stack that is given up
  bool destroyed = false;
  struct Guard {
    bool& gone;
    ~Guard() { gone = true; }
  };
  Fiber fiber([&] {
    const Guard guard{destroyed};
    Fiber::current()->fail(what);
  });
  EXPECT_THROW(fiber.resume(), Violation);
  EXPECT_TRUE(fiber.ended());
  EXPECT_FALSE(destroyed);
}

}  // namespace
}  // namespace quorate::sim
