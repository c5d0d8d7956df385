#include "platforms/host/report.h"

#include <charconv>

namespace iommusim::host {
namespace {

std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos)
        return text;
    std::string out = "\"";
    for (char c : text) {
        if (c == '"')
            out += '"';
        out += c;
    }
    return out + "\"";
}

/// Shortest text that reads back as the same number.
std::string number(double value) {
    char buffer[400]; // the largest double has 309 digits
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr};
}
std::string number(std::uint64_t value) { return std::to_string(value); }

class Lines {
public:
    void start(const Result& r) {
        begin_ = quoted(r.scenario) + "," + quoted(sweep_label(r)) + "," + number(r.seed) + ",";
    }
    void distribution(const std::string& name, const Summary& s) {
        text += begin_ + quoted(name) + "," + s.unit + ",," + number(s.count) + "," + number(s.min) + "," +
                number(s.mean) + "," + number(s.p50) + "," + number(s.p90) + "," + number(s.p99) + "," +
                number(s.p999) + "," + number(s.max) + "," + number(s.stddev) + "\r\n";
    }
    void scalar(const std::string& name, const std::string& unit, const std::string& value) {
        text += begin_ + quoted(name) + "," + unit + "," + value + ",,,,,,,,,\r\n";
    }
    void count(const std::string& name, std::uint64_t value) { scalar(name, "count", number(value)); }
    void time(const std::string& name, std::uint64_t ps) { scalar(name, "ps", number(ps)); }

    std::string text = "scenario,sweep,seed,metric,unit,value,count,min,mean,p50,p90,p99,p999,max,stddev\r\n";

private:
    std::string begin_;
};

} // namespace

std::string report_csv(const std::vector<Result>& results) {
    Lines lines;
    for (const Result& r : results) {
        lines.start(r);
        lines.time("simulated_time", r.simulated_time_ps);
        for (const Metric& m : r.metrics) {
            if (const auto* summary = std::get_if<Summary>(&m.value)) {
                lines.distribution(m.name, *summary);
            } else {
                const Scalar& s = std::get<Scalar>(m.value);
                lines.scalar(m.name, s.unit, std::visit([](auto v) { return number(v); }, s.value));
            }
        }
        for (const Stage& s : r.breakdown)
            lines.distribution("invalidation.breakdown." + s.name, s.latency);
        lines.count("oracle.checked", r.oracle.checked);
        lines.count("oracle.stale_uses", r.oracle.stale_uses);
        lines.count("oracle.exposed_uses", r.oracle.exposed_uses);
        lines.time("oracle.worst_age", r.oracle.worst_age_ps);
        for (const auto& [name, count] : r.faults)
            lines.count("faults." + name, count);
        for (const LockReport& lock : r.locks) {
            const std::string prefix = "locks." + lock.name + ".";
            lines.count(prefix + "acquisitions", lock.acquisitions);
            lines.count(prefix + "contended", lock.contended);
            lines.time(prefix + "wait", lock.wait_ps);
            lines.time(prefix + "longest_wait", lock.longest_wait_ps);
            lines.time(prefix + "hold", lock.hold_ps);
            lines.time(prefix + "longest_hold", lock.longest_hold_ps);
        }
    }
    return lines.text;
}

} // namespace iommusim::host
