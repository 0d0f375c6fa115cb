// Numbers as the exposition formats write them.
#pragma once

#include <cstdint>
#include <string>

namespace wiregauge::expose {

// Appends the shortest text that reads back as the same double: "0", "17", "0.25", "1e-07", "+Inf", "-Inf", "NaN".
// Whole numbers below 2^53 are written in full. -0 is "-0".
void AppendNumber(double value, std::string& out);
void AppendNumber(std::uint64_t value, std::string& out);

// The value of an le or quantile label as Go's %g writes it, which is what other exporters' series are called:
// "0.005", "1", "+Inf", "1e+06". With `always_float`, whole numbers get ".0": OpenMetrics' canonical form.
void AppendBound(double bound, bool always_float, std::string& out);

// Unix seconds with milliseconds: "1795158851.493".
void AppendTimestamp(double unix_s, std::string& out);

}  // namespace wiregauge::expose
