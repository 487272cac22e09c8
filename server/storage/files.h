// What is done with whole files and folders, over the file-system interface.
//
// Thread safety: pure functions over the file system handed in.
//
// Errors: the file system's own.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "server/storage/file_system.h"

namespace quorate::server {

// A failed sync is not tried again, whatever its reason (docs/storage-format.md): its kNoSpace becomes kIo.
Status final_error(const Status& synced);

Result<std::string> read_file(FileSystem& fs, const std::string& path);
// Whole or not at all: written as NAME.new beside it, synced, renamed, and the name synced. After kNoSpace
// what was there is there.
Status replace_file(FileSystem& fs, const std::string& directory, const std::string& name,
                    std::string_view bytes);
// The new name is durable when it returns. Both stand in one folder.
Status rename_durably(FileSystem& fs, const std::string& from, const std::string& to);
// A folder that holds files and no folders. No error if it is missing. A crash leaves any part of it,
// and files that are shorter than they were.
Status remove_folder(FileSystem& fs, const std::string& directory);

}  // namespace quorate::server
