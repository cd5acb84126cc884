/* The rows that the annotations in the XML name, for Qt. */
#pragma once

#include <QtCore>
#include <QtDBus>

struct ProctorChildRow {
    QString id, status, operation, readiness, stop_state;
    QDBusObjectPath path;
    quint64 generation, attempt;
    bool stale, exhausted;
    uint remaining;
};
struct ProctorJobRow {
    quint64 number, queued, started, finished;
    QString name, state, result;
};
struct ProctorEventRow {
    quint64 sequence, realtime, monotonic;
    QString kind, child, cause;
    QVariantMap fields;
};
struct ProctorAuditRow {
    quint64 sequence, realtime;
    QString kind, child, cause;
    QVariantMap fields;
};
using ProctorChildRows = QList<ProctorChildRow>;
using ProctorJobRows = QList<ProctorJobRow>;
using ProctorEventRows = QList<ProctorEventRow>;
using ProctorAuditRows = QList<ProctorAuditRow>;
using ProctorPair = QPair<QString, QString>;
Q_DECLARE_METATYPE(ProctorChildRows)
Q_DECLARE_METATYPE(ProctorJobRows)
Q_DECLARE_METATYPE(ProctorEventRows)
Q_DECLARE_METATYPE(ProctorAuditRows)
