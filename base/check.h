// Checks of what must be true. They stay on in release builds: a server that finds itself wrong stops.
//
//   CHECK(applied_ <= committed_);
//   CHECK_MSG(frame.size() <= limit, "a frame over the limit reached the encoder");
#pragma once

#include "base/check_failed.h"

#define CHECK(condition)                                           \
  do {                                                             \
    if (!(condition)) [[unlikely]]                                 \
      ::quorate::check_failed(__FILE__, __LINE__, #condition, {}); \
  } while (false)

#define CHECK_MSG(condition, message)                                     \
  do {                                                                    \
    if (!(condition)) [[unlikely]]                                        \
      ::quorate::check_failed(__FILE__, __LINE__, #condition, (message)); \
  } while (false)
