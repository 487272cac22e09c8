// A program that waits for changes by the client library's one-shot watches, and makes them.
//
// Thread safety: none.
#pragma once

#include <initializer_list>
#include <string>

#include "client/quorate/watch.h"
#include "tests/sim/recipe_client.h"

namespace quorate::sim {

class LibraryWatchesClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  void act(client::Client& client) override;
  void change(client::Client& client);
  void watch_node(client::Client& client);
  void watch_children(client::Client& client);
  // What became of an operation that may be refused for one of these reasons.
  bool done_or(std::initializer_list<ErrorCode> expected, const Error& error);
  // The event, if one was told; whoever waited for long without one calls `silent`.
  template <class Silent>
  std::optional<client::Event> wait(client::Client& client, client::Watch& watch, Silent silent);
};

}  // namespace quorate::sim
