// The whole state of a cluster as one consistent stream, for a backup: everything that was acknowledged to
// anybody before it was asked for. Part by part: neither side holds more than one.
//
//   client.read_snapshot([&](const SnapshotPart& part) {
//     if (part.first) file.begin_anew(part.name);
//     return file.append(part.records);
//   });
//
// Only a super user may: the state holds the passwords of sessions and the digests of credentials.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace quorate::client {

struct SnapshotPart {
  // This is the first part. It can come more than once: when the server that had the snapshot is gone,
  // another one's is read from its beginning, and what was taken before is to be dropped.
  bool first = false;
  // Which state it is: cluster, index, hash. Encoded, as in a backup file; the same in each part.
  std::string name;
  // Records as a backup file has them, in ascending order of key. Without any, and not complete: the server
  // is still making its checkpoint; told about twice a second, so that whoever waits can say so, or give up.
  std::string records;
  bool complete = false;  // the last part
};

// An error ends the reading, and is its answer.
using OnSnapshotPart = std::function<Status(const SnapshotPart&)>;

}  // namespace quorate::client
