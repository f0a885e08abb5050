// Iotkm.swift, beside this, is generated. It gives the error its words; this shows them wherever it is printed.
extension IotkmError: CustomStringConvertible {}
