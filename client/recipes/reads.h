// Many reads, in as few requests as their answers have room in. Not public.
#pragma once

#include <functional>
#include <vector>

#include "client/quorate/client.h"

namespace quorate::client {

// Errors: those of Client::read_many(). Each request is true of its own instant.
Status read_each(Client& client, const std::vector<ReadRequest>& reads,
                 const std::function<void(const ReadRequest&, const ReadResult&)>& take);

}  // namespace quorate::client
