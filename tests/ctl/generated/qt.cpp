/* What qdbusxml2cpp makes of the XML names these types; a client registers them before it calls. */
#include "types.h"

#include "manager.h"

int main(int, char **argv)
{
    OrgProctor1ManagerInterface manager("org.proctor1", "/org/proctor1",
                                        QDBusConnection::systemBus());
    manager.setTimeout(60000);
    QDBusPendingReply<QVariantMap> outcome =
        manager.RestartChild(argv[1], "by a generated client", {{"wait", true}});
    outcome.waitForFinished();
    qInfo("%u children, generation %llu", manager.nChildren(),
          outcome.value().value("NewGeneration").toULongLong());
    return outcome.isError();
}
