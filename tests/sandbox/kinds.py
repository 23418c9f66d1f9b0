# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that the sandbox's controllers, commands and tests speak of, each once."""

from __future__ import annotations

from sandbox.client import Resource

# core and other built-in groups
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
EVENTS = Resource("", "v1", "events", "Event")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICES = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)

# Gateway API
GATEWAY_GROUP = "gateway.networking.k8s.io"
GATEWAY_CLASSES = Resource(GATEWAY_GROUP, "v1", "gatewayclasses", "GatewayClass", namespaced=False)
GATEWAYS = Resource(GATEWAY_GROUP, "v1", "gateways", "Gateway")
HTTP_ROUTES = Resource(GATEWAY_GROUP, "v1", "httproutes", "HTTPRoute")
REFERENCE_GRANTS = Resource(GATEWAY_GROUP, "v1beta1", "referencegrants", "ReferenceGrant")

# Istio
ISTIO_GROUP = "networking.istio.io"
SERVICE_ENTRIES = Resource(ISTIO_GROUP, "v1", "serviceentries", "ServiceEntry")
DESTINATION_RULES = Resource(ISTIO_GROUP, "v1", "destinationrules", "DestinationRule")
ENVOY_FILTERS = Resource(ISTIO_GROUP, "v1alpha3", "envoyfilters", "EnvoyFilter")

# Kuadrant
KUADRANT_GROUP = "kuadrant.io"
KUADRANTS = Resource(KUADRANT_GROUP, "v1beta1", "kuadrants", "Kuadrant")
AUTH_POLICIES = Resource(KUADRANT_GROUP, "v1", "authpolicies", "AuthPolicy")
DNS_POLICIES = Resource(KUADRANT_GROUP, "v1", "dnspolicies", "DNSPolicy")
RATE_LIMIT_POLICIES = Resource(KUADRANT_GROUP, "v1", "ratelimitpolicies", "RateLimitPolicy")
TLS_POLICIES = Resource(KUADRANT_GROUP, "v1", "tlspolicies", "TLSPolicy")

# OLM
OLM_GROUP = "operators.coreos.com"
CATALOG_SOURCES = Resource(OLM_GROUP, "v1alpha1", "catalogsources", "CatalogSource")
SUBSCRIPTIONS = Resource(OLM_GROUP, "v1alpha1", "subscriptions", "Subscription")
INSTALL_PLANS = Resource(OLM_GROUP, "v1alpha1", "installplans", "InstallPlan")
CSVS = Resource(OLM_GROUP, "v1alpha1", "clusterserviceversions", "ClusterServiceVersion")
OPERATOR_GROUPS = Resource(OLM_GROUP, "v1", "operatorgroups", "OperatorGroup")
