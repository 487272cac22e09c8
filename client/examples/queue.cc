// Messages that are delivered at least once.
//
//   queue HOST:PORT,...
#include <quorate/queue.h>

#include <iostream>

#include <arguments.h>

using namespace quorate::client;

int main(int argc, char** argv) {
  Client client({.endpoints = endpoints(argc, argv)});
  Queue queue(client, "/example/mail");
  for (const char* id : {"order-1", "order-2", "order-1"}) {
    const quorate::Result<bool> pushed = queue.push(std::string("a letter about ") + id, {.id = id});
    if (!pushed.ok()) return failed("the push", pushed.error());
    std::cout << id << (*pushed ? " was pushed\n" : " was there before\n");
  }
  while (true) {
    quorate::Result<Delivery> mail = queue.take(milliseconds(0));
    if (mail.code() == quorate::ErrorCode::kTimeout) break;
    if (!mail.ok()) return failed("the delivery", mail.error());
    std::cout << "delivered: " << mail->data() << "\n";
    if (const quorate::Status done = mail->acknowledge(); !done.ok())
      return failed("the acknowledgement", done.error());
  }
  return 0;
}
