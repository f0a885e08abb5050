// swift-tools-version: 5.9
import PackageDescription

let package = Package(
    name: "UdpLoopback",
    platforms: [.macOS(.v11)],
    dependencies: [.package(name: "Iotkm", path: "../../kotlin-swift/swift")],
    targets: [
        .executableTarget(name: "UdpLoopback", dependencies: [.product(name: "Iotkm", package: "Iotkm")])
    ]
)
