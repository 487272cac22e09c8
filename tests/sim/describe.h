// Messages, requests and replies as a person would say them, for the trace.
#pragma once

#include <string>

#include "server/client_message.h"
#include "server/peer_message.h"

namespace quorate::sim {

std::string describe(const server::PeerBody& body);
std::string describe(const server::RequestBody& body);
std::string describe(const decltype(server::ZookeeperRequest::body)& body);
std::string describe(const server::ClientMessage& message);
std::string describe(const kv::Operation& operation);
std::string describe(const kv::Outcome& outcome);

}  // namespace quorate::sim
