// json_check FILE [POINTER VALUE]...: FILE holds one JSON value on one line, and at each JSON pointer (RFC
// 6901; "" is the whole) that value. Exits 1 and says what is there instead. For the test of the command
// line.
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

int main(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) {
    std::cerr << "usage: json_check FILE [POINTER VALUE]...\n";
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.find('\n') + 1 != text.size()) {
    std::cerr << "not one line: " << text << "\n";
    return 1;
  }
  try {
    const nlohmann::json value = nlohmann::json::parse(text);
    for (int i = 2; i < argc; i += 2) {
      const nlohmann::json& found = value.at(nlohmann::json::json_pointer(argv[i]));
      if (found == nlohmann::json::parse(argv[i + 1])) continue;
      std::cerr << "at '" << argv[i] << "' stands " << found << " instead of " << argv[i + 1] << "\n";
      return 1;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << " in " << text << "\n";
    return 1;
  }
  return 0;
}
