// What the examples share: where the servers are, and what is said when something goes wrong.
#pragma once

#include <quorate/client.h>

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

inline std::vector<std::string> endpoints(int argc, char** argv) {
  std::istringstream list(argc > 1 ? argv[1] : "127.0.0.1:2181");
  std::vector<std::string> all;
  for (std::string one; std::getline(list, one, ',');) all.push_back(one);
  return all;
}

inline int failed(const char* what, const quorate::Error& error) {
  std::cerr << what << ": " << error.message << "\n";
  return 1;
}
