// Clients get what the server does not need for itself.
#include "server/shell/descriptors.h"

#include <gtest/gtest.h>

namespace quorate::server {
namespace {

TEST(Descriptors, ClientsGetWhatTheServerDoesNotNeed) {
  EXPECT_EQ(clients_with_room(10'000, UINT64_MAX), 10'000u);
  EXPECT_EQ(clients_with_room(10'000, 10'000 + kOwnDescriptors), 10'000u);
  EXPECT_EQ(clients_with_room(10'000, 9'999 + kOwnDescriptors), 9'999u);
  EXPECT_EQ(clients_with_room(10, 2 * kOwnDescriptors), 10u);
}

TEST(Descriptors, WhereEvenTheServerHasTooFewItIsHalfAndHalf) {
  EXPECT_EQ(clients_with_room(10'000, 1024), 512u);
  EXPECT_EQ(clients_with_room(10'000, 100), 50u);
}

TEST(Descriptors, NothingIsTakenBackFromTheLimit) {
  const uint64_t limit = raise_descriptor_limit(0);
  EXPECT_EQ(raise_descriptor_limit(0), limit);
}

}  // namespace
}  // namespace quorate::server
