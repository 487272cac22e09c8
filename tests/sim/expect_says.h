// That a checker found a fault, and named it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/history.h"

namespace quorate::sim {

inline void expect_says(const Verdict& verdict, const std::string& part) {
  ASSERT_TRUE(verdict.has_value());
  EXPECT_NE(verdict->find(part), std::string::npos) << *verdict;
}

}  // namespace quorate::sim
