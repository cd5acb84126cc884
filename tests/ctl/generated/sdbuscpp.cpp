/* generated-sdbuscpp CHILD: the same by what sdbus-c++-xml2cpp makes of it. */
#include "manager.h"

#include <chrono>
#include <iostream>

class Manager : public sdbus::ProxyInterfaces<org::proctor1::Manager_proxy> {
public:
    explicit Manager(std::unique_ptr<sdbus::IConnection> bus)
        : ProxyInterfaces(std::move(bus), "org.proctor1", "/org/proctor1")
    {
        registerProxy();
    }
    ~Manager() { unregisterProxy(); }

private:
    using Fields = std::map<std::string, sdbus::Variant>;

    void onEvent(const uint64_t &, const uint64_t &, const uint64_t &, const std::string &,
                 const std::string &, const std::string &, const Fields &) override
    {
    }
    void onChildAdded(const std::string &, const sdbus::ObjectPath &) override {}
    void onChildRemoved(const std::string &, const sdbus::ObjectPath &) override {}
};

int main(int, char **argv)
{
    auto bus = sdbus::createSystemBusConnection();
    bus->setMethodCallTimeout(std::chrono::seconds(60));
    Manager manager(std::move(bus));
    auto outcome = manager.RestartChild(argv[1], "by a generated client", {{"wait", true}});

    std::cout << manager.NChildren() << " children, generation "
              << outcome.at("NewGeneration").get<uint64_t>() << "\n";
}
