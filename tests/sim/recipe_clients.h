// The programs that run the recipes of the client library.
//
// Thread safety: none.
#pragma once

#include <memory>

#include "tests/sim/client_machine.h"
#include "tests/sim/plan.h"

namespace quorate::sim {

struct Histories;

std::unique_ptr<ClientMachine> make_recipe_client(Recipe recipe, Context& context, Connections& connections,
                                                  uint32_t number, uint32_t servers, Histories& histories);

}  // namespace quorate::sim
