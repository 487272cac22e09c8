// `export` and `import` of a subtree as JSON lines: a node a line, parents before their children.
//
//   {"path":"/a/b","data":"text"}                      "data_base64" where the bytes are no UTF-8
//   {"path":"/a/c","data":"","acl":["world:anyone:r"]} "acl" where it is not open to all, as setacl takes it
#pragma once

#include <string>

#include "client/cli/command.h"

namespace quorate::cli {

struct ExportArguments {
  std::string path;
  std::string file = "-";  // "-": standard output
};
int export_lines(const Globals& globals, const ExportArguments& args);

struct ImportLinesArguments {
  std::string file;        // "-": standard input
  bool skip = false;       // nodes that are there stay as they are
  bool overwrite = false;  // their data and permissions are replaced
};
int import_lines(const Globals& globals, const ImportLinesArguments& args);

}  // namespace quorate::cli
