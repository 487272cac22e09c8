// Requests of the native protocol as the replica takes them.
//
// Thread safety: plain functions.
#pragma once

#include "base/result.h"
#include "proto/client.pb.h"
#include "server/client_message.h"

namespace quorate::server {

// Takes the strings out of the frame: data is copied once, from the receive buffer. Errors: kUnsupported for
// a request of a later version, kInvalidArgument for one that cannot be meant.
Result<RequestBody> request_of(api::ClientFrame& frame);

}  // namespace quorate::server
