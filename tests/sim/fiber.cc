#include "tests/sim/fiber.h"

#include <sys/mman.h>

#include <utility>

#include "base/check.h"
#include "tests/sim/context.h"

// g++ and clang say it each in its own way.
#if defined(__SANITIZE_ADDRESS__)
#define QUORATE_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QUORATE_ADDRESS_SANITIZER
#endif
#endif
#ifdef QUORATE_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

namespace quorate::sim {
namespace {

// Only what is touched takes memory. The first page is for nobody: an overflow is a fault there.
constexpr size_t kGuardBytes = 4 << 10;
constexpr size_t kStackBytes = 1 << 20;

Fiber* g_current = nullptr;

void start_switch([[maybe_unused]] void** fake, [[maybe_unused]] const void* stack,
                  [[maybe_unused]] size_t bytes) {
#ifdef QUORATE_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(fake, stack, bytes);
#endif
}

void finish_switch([[maybe_unused]] void* fake, [[maybe_unused]] const void** stack,
                   [[maybe_unused]] size_t* bytes) {
#ifdef QUORATE_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(fake, stack, bytes);
#endif
}

}  // namespace

Fiber* Fiber::current() { return g_current; }

Fiber::Fiber(std::function<void()> run) : run_(std::move(run)) {
  void* const memory =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK_MSG(memory != MAP_FAILED, "no memory for a fiber's stack");
  stack_ = static_cast<char*>(memory);
  CHECK(mprotect(stack_, kGuardBytes, PROT_NONE) == 0);
  CHECK(getcontext(&own_) == 0);
  own_.uc_stack.ss_sp = stack_;
  own_.uc_stack.ss_size = kStackBytes;
  own_.uc_link = nullptr;
  makecontext(&own_, &Fiber::enter, 0);
}

Fiber::~Fiber() { munmap(stack_, kStackBytes); }

void Fiber::resume() {
  CHECK(!ended_ && g_current == nullptr);
  g_current = this;
  to_fiber();
  g_current = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Fiber::to_fiber() {
  start_switch(&caller_fake_, stack_, kStackBytes);
  CHECK(swapcontext(&caller_, &own_) == 0);
  finish_switch(caller_fake_, nullptr, nullptr);
}

void Fiber::to_caller(bool last) {
  start_switch(last ? nullptr : &own_fake_, caller_stack_, caller_stack_bytes_);
  CHECK(swapcontext(&own_, &caller_) == 0);
  finish_switch(own_fake_, &caller_stack_, &caller_stack_bytes_);
}

void Fiber::pause() {
  CHECK(g_current == this);
  to_caller(false);
}

void Fiber::fail(const std::string& what) {
  failure_ = std::make_exception_ptr(Violation(what));
  ended_ = true;
  while (true) to_caller(true);
}

// The first and last thing on the fiber's stack.
void Fiber::enter() {
  Fiber& fiber = *g_current;
  finish_switch(nullptr, &fiber.caller_stack_, &fiber.caller_stack_bytes_);
  try {
    fiber.run_();
  } catch (...) {
    fiber.failure_ = std::current_exception();
  }
  fiber.run_ = nullptr;
  fiber.ended_ = true;
  fiber.to_caller(true);
}

}  // namespace quorate::sim
