// Code with a stack of its own that stops where it waits and goes on later, all on one thread: how code that
// is written to wait (the recipes of the client library) runs in virtual time.
//
// Thread safety: none. A fiber is resumed by the thread that made it.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <string>

namespace quorate::sim {

class Fiber {
 public:
  // Nothing runs before the first resume().
  explicit Fiber(std::function<void()> run);
  // One that has not ended is given up where it stands: what is on its stack is not destroyed.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The one that runs; null: none.
  static Fiber* current();

  // Runs it until it pauses or ends. Throws what it fails with. REQUIRES: it has not ended, and does not run.
  void resume();
  bool ended() const { return ended_; }

  // On the fiber itself: back to who resumed it.
  void pause();
  // The same for good: resume() throws a Violation. Nothing on the fiber's stack is unwound, since much of
  // that waits.
  [[noreturn]] void fail(const std::string& what);

 private:
  static void enter();
  void to_fiber();
  void to_caller(bool last);

  std::function<void()> run_;
  char* stack_ = nullptr;
  ucontext_t own_{}, caller_{};
  bool ended_ = false;
  std::exception_ptr failure_;
  // What the address sanitizer wants to know of both stacks.
  void *own_fake_ = nullptr, *caller_fake_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_stack_bytes_ = 0;
};

}  // namespace quorate::sim
